"""DICOM, read and written: files, series, outlines, de-identification. The only pydicom and highdicom beside `phantoms`; other images belong to `images`."""
