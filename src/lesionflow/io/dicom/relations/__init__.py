"""How the objects of one study relate: which series is a channel, what joins frames of reference, what a SEG repeats. No voxels are read here."""
