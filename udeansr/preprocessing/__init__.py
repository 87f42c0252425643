"""Raw dataset + plan -> preprocessed dataset."""
