"""What can be said of transport and divergences without training a generator."""
