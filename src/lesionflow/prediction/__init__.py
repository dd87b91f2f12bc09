"""One study in; mask, report and passport out: the one path of the command line, the service and MLflow. No training, no scores."""

from pathlib import Path

#: Stands beside whatever this room gives out.
DISCLAIMER = "Research use only. Not a medical device: not for diagnosis or treatment."
#: What MLflow runs where it serves a registered model: stored as text with each version, never as a pickle.
MLFLOW_PROGRAM = Path(__file__).with_name("mlflow_model.py")
#: Who made a mask, in the words of its header.
MAKER = "lesionflow"
#: What the passport is called among the texts of a picture.
PASSPORT_KEY = "lesionflow-passport"
#: Characters of a bundle's digest that stand there.
SHOWN_DIGEST = 12
#: Written large where there is no room for a sentence: the study is unlike those that the model was trained on.
UNLIKE_TRAINING = "UNLIKE TRAINING DATA"
