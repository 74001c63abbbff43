"""Layers and networks with a seed axis; their options are in ``pwgan.networks``, which does not import torch."""
