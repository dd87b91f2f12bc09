"""`python -m lesionflow.serving`: what `lesionflow serve` becomes; the store stands in `MLFLOW_TRACKING_URI`."""

import argparse
import sys

from lesionflow.errors import LesionFlowError
from lesionflow.serving.launch import DEFAULT_PORT, LOOPBACK, main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m lesionflow.serving")
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--model", required=True)
    parser.add_argument("--model-name")
    parser.add_argument("--check", action="store_true")
    try:
        main(**vars(parser.parse_args()))
    except LesionFlowError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
