"""What members share: the meaning of every slot, and what a noised sum still tells."""
