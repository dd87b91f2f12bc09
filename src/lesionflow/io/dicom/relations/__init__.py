"""Which series is a channel, what joins frames of reference, what a SEG repeats of its images. No voxels are read here."""
