"""The reference models: small decoders that this project trains for itself.

They make demonstrations and tests real without a download: a Llama architecture, a
tokenizer of its own, a world of invented clinical notes. Nothing here serves requests;
the node reads the finished directories as it reads any other Hugging Face directory.
"""
