"""Super-resolution of MRI without pairs."""

__version__ = "0.1.0"
