"""Synthetic patients as DICOM objects, written without the readers of `io`, so that each tests the other."""
