"""`lesionflow serve` as a process of its own, with an untrained model: what the service's benchmarks ask."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import psutil
import torch

from benchmarks.large_ct import make_model
from lesionflow.data.bundle import Bundle
from lesionflow.data.plan import Plan
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.models import build_model
from lesionflow.serving.launch import serve_command, serve_environment

READY_S = 180.0


class Running(NamedTuple):
    """A service.

    Args:
        address: Where it answers.
        process: The one that was started; the others are its children.
        log: What it writes.
    """

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def memory_mb(self) -> float:
        """Return what all its processes hold, what they share counted once a process (PSS)."""
        tree = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        found = 0
        for process in tree:
            try:
                found += process.memory_full_info().pss
            except psutil.Error:
                continue
        return found / 1e6


def write_model(folder: Path, **changes: object) -> Path:
    """Write the bundle of the demonstration's 2D network, untrained, its plan changed as told."""
    model = make_model(6.0)
    plan = Plan.model_validate(model.bundle.plan.model_dump() | changes)
    torch.manual_seed(0)
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=1, dimensions=2)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    # A new network expects hardly any tumor, and would find none.
    weights["output.bias"] = np.zeros_like(weights["output.bias"])
    card = model.bundle.card.model_copy(update={"plan_sha256": plan.digest()})
    write_bundle(folder, Bundle(plan, weights, card))
    return folder


@contextmanager
def running(bundle: Path, folder: Path, **settings: object) -> Iterator[Running]:
    """Start the service, wait until it is ready, and stop it at the end.

    Args:
        bundle: The model.
        folder: Where it may write.
        settings: `LESIONFLOW_<NAME>` each.
    """
    port = free_port()
    environment = serve_environment(model=str(bundle), model_name=None, tracking_uri=f"sqlite:///{folder}/none.db")
    environment |= {f"LESIONFLOW_{name.upper()}": str(value) for name, value in settings.items()}
    environment |= {"BENTOML_HOME": str(folder / "bentoml"), "LESIONFLOW_STATE_DIR": str(folder / "state")}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            serve_command(port=port), env=os.environ | environment, cwd=folder, stdout=out, stderr=subprocess.STDOUT
        )
    service = Running(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait(service)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait(service: Running) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        try:
            if httpx.get(f"{service.address}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        if service.process.poll() is not None:
            break
        time.sleep(0.2)
    raise TimeoutError(f"Expected a service that is ready, found: {service.log.read_text(errors='replace')[-2000:]}")
