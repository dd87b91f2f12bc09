"""A bundle as MONAI's own: configurations that MONAI runs without our code, and how near it comes. What MONAI can't say is refused, never left out."""
