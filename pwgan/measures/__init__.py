"""Measures of trained generators, as pure functions of samples and features."""
