"""What our DICOM objects say beyond a segmentation's frames: texts of our own, and outlines. No reading of studies."""
