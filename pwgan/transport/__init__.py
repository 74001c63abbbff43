"""Optimal transport between equal numbers of samples: costs, matchings, distances, mini-batch bias."""
