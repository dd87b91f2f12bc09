"""Runs, model versions and aliases in MLflow, the only mlflow. Whether a version should be champion belongs to `evaluation.gate`."""

import os

# mlflow reads these when it is imported: no telemetry, no pickles, no complaint where git is absent.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# An unreachable server is told of after half a minute; by default mlflow tries for four.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
