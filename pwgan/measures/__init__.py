"""Measures of trained generators: features, then statistics, then a value, each a pure function."""
