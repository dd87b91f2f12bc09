"""One study in; mask, report and passport out: the one path of the command line, the service and MLflow. No training, no scores."""

from pathlib import Path

#: Stands beside whatever this room gives out.
DISCLAIMER = "Research use only. Not a medical device: not for diagnosis or treatment."
#: What MLflow runs where it serves a registered model: stored as text with each version, never as a pickle.
MLFLOW_PROGRAM = Path(__file__).with_name("mlflow_model.py")
