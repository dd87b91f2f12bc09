"""Several processes that train one network: the leader starts those of its machine, and tells all what comes next.

The leader runs the step; the others know only what they are told: which training, for how long, from which state. They
read the same inputs, log nothing and write nothing.
"""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from lesionflow.config import Settings, TrainConfig
from lesionflow.errors import ConfigError, LesionFlowError
from lesionflow.steps.train.compute import Compute
from lesionflow.steps.train.data_loading import make_data
from lesionflow.steps.train.processes.lost_processes import end, part, telling_losses
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.training_inputs import TrainingInputs
from lesionflow.training import ProcessGroup, Recipe, TrainingState, fit
from lesionflow.training.process_group import (
    LOCAL_RANK,
    NODE_RANK,
    RANK,
    SINGLE_PROCESS,
    WORLD_SIZE,
    join_process_group,
)

ADDRESS, PORT, LOCAL_SIZE = "MASTER_ADDR", "MASTER_PORT", "LOCAL_WORLD_SIZE"
#: What a machine of several is told by whoever starts it.
MEETING = (ADDRESS, PORT, "NODE_RANK")
#: How often a worker looks whether its leader lives, and how long a leader waits for others that have nothing left to do.
WATCH_S, FAREWELL_S = 1.0, 20.0
#: What a worker says when it has read its inputs.
READY = b"ready\n"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainOrder:
    """What all processes train next.

    Args:
        number: Of the task; None for the network that learns from all cases.
        recipe: How, as the leader's own loop is told.
        state: What to go on from, as bytes; empty for a fresh start.
    """

    number: int | None
    recipe: Recipe
    state: bytes


def send_order(
    processes: ProcessGroup, inputs: TrainingInputs, task: TrainingTask, recipe: Recipe, resume: TrainingState | None
) -> None:
    """Tell the workers what is trained next."""
    if processes.size == 1:
        return
    number = None if task.fold is None else inputs.tasks.index(task)
    processes.share(TrainOrder(number, recipe, resume.to_bytes() if resume else b""))


def run_worker(inputs: TrainingInputs, compute: Compute) -> None:
    """Train what the leader says until it says no more."""
    while (order := compute.processes.share(cast("TrainOrder | None", None))) is not None:
        task = inputs.on_all_cases(order.recipe.max_epochs) if order.number is None else inputs.tasks[order.number]
        fit(
            task.build_network,
            make_data(task, inputs.cases, compute.n_loaders),
            order.recipe,
            device=compute.device,
            n_threads=compute.workers,
            on_epoch=lambda _: None,
            resume=TrainingState.from_bytes(order.state) if order.state else None,
            processes=compute.processes,
        )


@contextmanager
def process_group(
    config: TrainConfig, inputs: Mapping[str, Path], settings: Settings, device: str
) -> Iterator[ProcessGroup]:
    """Bring together the processes that params ask for; part again at the end.

    A process that was started as one of several (by torchrun, by Kubeflow's trainer, by `MASTER_ADDR`, `MASTER_PORT` and
    `NODE_RANK`) joins them; otherwise the others of this machine are started here.

    Args:
        config: How many.
        inputs: Of the step.
        settings: Of this process.
        device: `cpu` or `cuda`.

    Yields:
        The process group; one process alone where params ask for no more.

    Raises:
        ConfigError: When there are fewer GPUs, or the environment says another number of processes.
        LesionFlowError: When another process ended in the midst.
    """
    size = config.devices * config.nodes
    if size == 1:
        yield SINGLE_PROCESS
        return
    _require_devices(config, device)
    if RANK in os.environ:
        if int(os.environ.get(WORLD_SIZE, "0")) != size:
            raise ConfigError(
                f"Expected train.devices x train.nodes to be the {os.environ.get(WORLD_SIZE)} processes that were started, "
                f"found {config.devices} x {config.nodes}."
            )
        place = {LOCAL_RANK: os.environ.get(LOCAL_RANK, "0"), LOCAL_SIZE: str(config.devices)}
        with telling_losses(()), _environment(place), join_process_group(device) as processes:
            yield processes
            _dismiss(processes)
        return
    places = _places(config)
    others: list[subprocess.Popen[bytes]] = []
    try:
        with telling_losses(others):
            for place in places[1:]:
                others.append(_begin(place))
                _tell(others[-1], config, inputs, settings, device)
            for worker in others:
                _require_ready(worker)
            with _environment(places[0]), join_process_group(device) as processes:
                yield processes
                _dismiss(processes)
        part(others, FAREWELL_S)
    finally:
        end(others)


def _dismiss(processes: ProcessGroup) -> None:
    if processes.leads:
        processes.share(None)


def _require_devices(config: TrainConfig, device: str) -> None:
    if device == "cuda" and torch.cuda.device_count() < config.devices:
        raise ConfigError(
            f"Expected {config.devices} GPUs on this machine for train.devices, found {torch.cuda.device_count()}."
        )


def _places(config: TrainConfig) -> list[dict[str, str]]:
    """Number the processes of this machine, the one that starts the others first."""
    node, meeting = 0, {ADDRESS: "127.0.0.1", PORT: str(_free_port())}
    if config.nodes > 1:
        missing = [name for name in MEETING if name not in os.environ]
        if missing:
            raise ConfigError(
                f"Expected {', '.join(MEETING)} in the environment for train.nodes {config.nodes}, found no "
                f"{', '.join(missing)}. Start one `lesionflow train` a machine, each with its own NODE_RANK from 0."
            )
        node, meeting = int(os.environ["NODE_RANK"]), {name: os.environ[name] for name in (ADDRESS, PORT)}
    size = str(config.devices * config.nodes)
    return [
        {
            **meeting,
            RANK: str(node * config.devices + local),
            LOCAL_RANK: str(local),
            NODE_RANK: str(node),
            WORLD_SIZE: size,
            LOCAL_SIZE: str(config.devices),
        }
        for local in range(config.devices)
    ]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _begin(place: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lesionflow.steps.train.processes.worker"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, env={**os.environ, **place}, **pipes)  # noqa: S603 - our own command


def _tell(
    worker: subprocess.Popen[bytes],
    config: TrainConfig,
    inputs: Mapping[str, Path],
    settings: Settings,
    device: str,
) -> None:
    """Write what a worker needs to know to its standard input."""
    told = {
        "config": config.model_dump(mode="json"),
        "inputs": {name: str(path) for name, path in inputs.items()},
        "device": device,
        "workers": share_of(settings.workers, config),
    }
    if worker.stdin is None:
        raise LesionFlowError("Expected a process to write to, found none.")
    with worker.stdin as pipe:
        pipe.write(json.dumps(told).encode())


def _require_ready(worker: subprocess.Popen[bytes]) -> None:
    """Wait until a worker has read its inputs: to meet one that never comes would take for ever."""
    if worker.stdout is None or worker.stdout.readline() != READY:
        raise LesionFlowError(
            f"Expected a second process to help training, found that it ended with code {worker.wait()}; its last words "
            "stand above."
        )


def share_of(workers: int, config: TrainConfig) -> int:
    """Return how many threads or loaders each process of a machine may use."""
    return max(1, workers // config.devices)


def without_source(config: TrainConfig) -> TrainConfig:
    """Return params of a process that need not fetch first weights: it is given the leader's."""
    return config.model_copy(update={"transfer": config.transfer.model_copy(update={"source": "none", "sha256": ""})})


def end_with_parent() -> None:
    """End this process when the one that started it is gone: it would wait for it for ever."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
