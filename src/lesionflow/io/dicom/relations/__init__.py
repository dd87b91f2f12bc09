"""How the objects of one study relate: series and channels, frames of reference, what a SEG repeats. Voxels and outlines belong beside it."""
