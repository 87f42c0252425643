"""Batches + method -> model."""
