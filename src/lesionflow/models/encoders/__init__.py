"""Encoders whose published weights can be loaded. Whole segmentation networks lie one level above."""
