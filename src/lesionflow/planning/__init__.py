"""What is decided from the cohort: spacing, patch, batch, cascade, and whether an older plan still fits. No files, no training."""
