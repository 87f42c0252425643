"""Figures of the paper from the folder of a benchmark: SR and its errors, degradation and features."""
