"""How the objects of one study relate: which series is a channel, which frames of reference a registration joins, what a SEG repeats.

Voxels and outlines themselves are read beside it.
"""
