"""Raw dataset -> fingerprint -> plan."""
