"""The image of all components: `make image` builds it, `LESIONFLOW_IMAGE` names another registry's copy."""

import os

from lesionflow import __version__

IMAGE = os.environ.get("LESIONFLOW_IMAGE", f"lesionflow:{__version__}-train-cpu")
