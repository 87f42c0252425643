"""A model and a folder of LR in, a folder of SR out."""
