"""Studies as jobs: taken in, waited for, told of and cancelled. What is done with one lies in `serving.segmentation`, the line itself in `jobs`."""
