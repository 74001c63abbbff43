"""Training of all seeds of a block at once; interrupted runs resume with bit-identical results."""
