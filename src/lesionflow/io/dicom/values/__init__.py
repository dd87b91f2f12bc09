"""What stored numbers mean: rescale, real-world values, times and plausibility of PET, bits and padding. No files are read here."""
