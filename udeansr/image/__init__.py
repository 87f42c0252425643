"""What a volume is: voxels and geometry, files, grids, resampling, intensities."""
