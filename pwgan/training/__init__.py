"""Training of all seeds of a cell at once, resumable to the bit."""
