"""Figures that are drawn once per data set of a study."""
