"""Random changes of training patches: the only albumentations."""
