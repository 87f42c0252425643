"""Training -> how fast it is, and what holds it up."""
