"""Private decoding: records in, differentially private tokens out."""
