"""Which model is asked: what is expected of each, and what is learnt of them."""
