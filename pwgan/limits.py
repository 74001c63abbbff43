"""Numbers that several stages share."""

NEIGHBOURS = 3
"""Precision and recall reach from a sample to the neighbour of this rank."""
FEWEST = NEIGHBOURS + 1
"""The fewest samples that can be measured, so that each has NEIGHBOURS neighbours; first rung of the bias ladder."""
PER_FEATURE = 4
"""Samples per feature without which FD_N is not linear in 1/N: covariances of fewer samples than features."""
EXACT = 2**53
"""float64 represents every integer up to this."""
