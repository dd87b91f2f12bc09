"""PNG, JPEG, TIFF, BMP and GIF: how samples are stored, and what they mean. Volumes belong to `images`."""
