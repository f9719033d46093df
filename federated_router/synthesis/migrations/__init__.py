"""The tables of synthesis jobs, step by step."""
