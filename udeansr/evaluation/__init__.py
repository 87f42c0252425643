"""How near a volume comes to its reference: metrics, and tables over folders."""
