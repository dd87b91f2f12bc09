"""What a DICOM segmentation holds: names and voxels of its segments. Nothing is written here; `dicom.seg` does."""
