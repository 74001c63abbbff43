"""Layers, networks and optimisers with a seed axis; the options of networks are in ``pwgan.networks``."""
