"""What is asked of single DICOM objects that came over a network, before anybody knows whether they make a study. Nothing is stacked and no pixel is read."""
