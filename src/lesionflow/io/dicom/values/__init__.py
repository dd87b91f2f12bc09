"""What stored numbers mean: rescaling, real-world values, times and plausibility of PET, units of CT, character sets. Reads no files."""
