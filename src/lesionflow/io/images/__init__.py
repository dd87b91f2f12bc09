"""Image files that are no DICOM: NIfTI, NRRD and MetaImage, pictures. One file at a time; whole data sets belong to `layouts`."""
