"""HR -> LR, and what a degradation looks like. Knows arrays, grids and spectra; knows no plan and no network."""
