"""What the pages of runs and versions in MLflow say first. Figures, tables and tags belong to `registry.tracking`."""
