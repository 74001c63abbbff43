"""Layers, networks and optimisers on the seed axis, in torch; the options of networks are in ``pwgan.networks``."""
