"""Layers and networks on the seed axis, in torch; their options are in ``pwgan.networks``, which imports no torch."""
