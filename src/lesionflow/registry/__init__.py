"""Runs, model versions and promotion: the only mlflow."""
