"""Data sets as people keep them, a module a layout; `recognition` holds the table of all. Single files belong to `dicom` and `images`."""
