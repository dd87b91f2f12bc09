"""Packed voxels and their checksums. What they mean, and the geometry that a header tells, belong to the readers of each format."""
