"""A model as a thing: its file, card, registry, choice and export; the bundled weights lie in ``weights/``."""
