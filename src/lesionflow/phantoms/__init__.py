"""Synthetic patients as real DICOM, with analytic truth."""
