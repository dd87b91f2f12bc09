"""From source space to model space and back."""
