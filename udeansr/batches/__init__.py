"""Preprocessed dataset -> batches of slabs."""
