"""Contours of one structure -> its voxels: read, filled, combined, stacked. Nothing here knows names, labels or series."""
