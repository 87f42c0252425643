"""Losses: tensors in, one number out. They know no network."""
