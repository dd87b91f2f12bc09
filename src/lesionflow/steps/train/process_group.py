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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from lesionflow.config import Settings, TrainConfig
from lesionflow.errors import ConfigError, LesionFlowError
from lesionflow.steps.train.batches import make_data
from lesionflow.steps.train.inputs import TrainingInputs
from lesionflow.steps.train.task import TrainingTask
from lesionflow.training import ProcessGroup, TrainingState, fit
from lesionflow.training.process_group import LOCAL_RANK, NODE_RANK, RANK, SINGLE_PROCESS, WORLD_SIZE, joined

ADDRESS, PORT, LOCAL_SIZE = "MASTER_ADDR", "MASTER_PORT", "LOCAL_WORLD_SIZE"
#: What a machine of several is told by whoever starts it.
MEETING = (ADDRESS, PORT, "NODE_RANK")
#: How often a helper looks whether its leader lives, and how long a leader waits for helpers that have nothing left to do.
WATCH_S, FAREWELL_S = 1.0, 20.0
#: What a helper says when it has read its inputs.
READY = b"ready\n"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainOrder:
    """What all processes train next.

    Args:
        number: Of the task; None for the network that learns from all cases.
        max_epochs: Epochs at most.
        max_minutes: Minutes at most.
        state: What to go on from, as bytes; empty for a fresh start.
    """

    number: int | None
    max_epochs: int
    max_minutes: float
    state: bytes


def send_order(
    processes: ProcessGroup,
    trainings: TrainingInputs,
    task: TrainingTask,
    max_minutes: float,
    resume: TrainingState | None,
) -> None:
    """Tell the others what is trained next."""
    if processes.size == 1:
        return
    number = None if task.fold is None else trainings.tasks.index(task)
    processes.share(
        asdict(TrainOrder(number, task.config.max_epochs, max_minutes, resume.to_bytes() if resume else b""))
    )


def run_worker(processes: ProcessGroup, trainings: TrainingInputs, *, device: str, workers: int) -> None:
    """Train what the leader says until it says no more."""
    told: Any = processes.share(None)
    while told is not None:
        order = TrainOrder(**told)
        task = trainings.on_all_cases(order.max_epochs) if order.number is None else trainings.tasks[order.number]
        fit(
            task.build_network,
            make_data(task, trainings.cases, device, workers),
            replace(task.recipe(), max_minutes=order.max_minutes),
            device=device,
            n_threads=workers,
            on_epoch=lambda _: None,
            resume=TrainingState.from_bytes(order.state) if order.state else None,
            processes=processes,
        )
        told = processes.share(None)


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
        with _environment(place), joined(device) as processes:
            yield processes
            _dismiss(processes)
        return
    places = _places(config)
    helpers = [_start(config, inputs, settings, device, place) for place in places[1:]]
    try:
        for helper in helpers:
            _require_ready(helper)
        with _environment(places[0]), joined(device) as processes:
            yield processes
            _dismiss(processes)
        for helper in helpers:
            helper.wait(FAREWELL_S)
    except RuntimeError as error:
        # What gloo and NCCL raise when another process is gone.
        lost = [helper.returncode for helper in helpers if helper.poll()]
        if lost:
            raise LesionFlowError(
                f"Expected {len(helpers)} processes beside this one to train to the end, found one ended with code {lost[0]}; "
                "its last words stand above. Start again: training goes on after the last whole epoch."
            ) from error
        raise
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()
            if helper.stdout is not None:
                helper.stdout.close()


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


def _start(
    config: TrainConfig, inputs: Mapping[str, Path], settings: Settings, device: str, place: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a helper on this machine; what it needs to know it reads from its standard input."""
    told = {
        "config": config.model_dump(mode="json"),
        "inputs": {name: str(path) for name, path in inputs.items()},
        "device": device,
        "workers": share_of(settings.workers, config),
    }
    command = [sys.executable, "-m", "lesionflow.steps.train.worker"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    helper = subprocess.Popen(command, env={**os.environ, **place}, **pipes)  # noqa: S603 - our own command
    if helper.stdin is None:
        raise LesionFlowError("Expected a process to write to, found none.")
    with helper.stdin as pipe:
        pipe.write(json.dumps(told).encode())
    return helper


def _require_ready(helper: subprocess.Popen[bytes]) -> None:
    """Wait until a helper has read its inputs: to meet one that never comes would take for ever."""
    if helper.stdout is None or helper.stdout.readline() != READY:
        raise LesionFlowError(
            f"Expected a second process to help training, found that it ended with code {helper.wait()}; its last words "
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
