"""A network over a volume: sliding window, test-time augmentation, fused networks, where a large volume lies."""
