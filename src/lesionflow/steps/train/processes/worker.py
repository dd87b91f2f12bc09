"""One of several processes that train a network, started by `leader` on the same machine; reads its task from stdin."""

import json
import logging
import os
import sys
from pathlib import Path

from lesionflow.config import Settings, TrainConfig
from lesionflow.steps.train.compute import Compute
from lesionflow.steps.train.processes.leader import READY, end_with_parent, run_worker, without_source
from lesionflow.steps.train.training_inputs import load_inputs
from lesionflow.training.process_group import join_process_group


def main() -> None:
    """Train what the leader says."""
    end_with_parent()
    # The leader says what there is to say.
    logging.getLogger("lesionflow").setLevel(logging.ERROR)
    told = json.load(sys.stdin)
    config = without_source(TrainConfig.model_validate(told["config"]))
    inputs = load_inputs(config, {name: Path(path) for name, path in told["inputs"].items()}, Settings())
    os.write(sys.stdout.fileno(), READY)
    # Whatever a library prints later shall not fill a pipe that nobody reads.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with join_process_group(told["device"]) as processes:
        run_worker(inputs, Compute(told["device"], told["workers"], processes))


if __name__ == "__main__":
    main()
