"""Figures that are drawn once for each data set of a study."""
