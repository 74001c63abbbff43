"""Primal Wasserstein GANs: train generators on optimal transport itself, and measure what that buys."""

__version__ = "0.1.0"
