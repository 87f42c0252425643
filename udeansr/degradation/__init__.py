"""HR -> LR: simulated, measured without pairs, undone; misalignment and its registration."""
