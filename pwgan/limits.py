"""Numbers that several stages share."""

NEIGHBOURS = 3
"""Precision and recall reach from a sample to the neighbour of this rank."""
FEWEST = NEIGHBOURS + 1
"""The fewest samples that can be measured, so that each has NEIGHBOURS neighbours; first rung of the bias ladder."""
EXACT = 2**53
"""float64 represents every integer up to this."""
