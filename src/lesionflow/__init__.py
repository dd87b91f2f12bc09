"""lesionflow: from versioned, outlined studies to a served tumor-segmentation model, and again."""

__version__ = "0.1.0"
