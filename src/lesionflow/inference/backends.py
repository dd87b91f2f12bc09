"""What runs a network on a CPU: PyTorch, or OpenVINO where validation found it faster with the same masks."""

import importlib.util
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError
from lesionflow.models import size_multiple

Network = Callable[[Tensor], Tensor]
PYTORCH, OPENVINO = "pytorch", "openvino"
#: What a network is traced with, in parts of the smallest size that it takes.
EXAMPLE_MULTIPLES = 2
logger = logging.getLogger(__name__)


class OpenVinoNetwork:
    """A network compiled by OpenVINO, in float32; several threads may call it, one at a time is served.

    Args:
        network: In evaluation mode, on the CPU.
        plan: Its plan: channels, dimensions and patch.

    Raises:
        ArtifactError: When OpenVINO can't compile it.
    """

    def __init__(self, network: nn.Module, plan: Plan) -> None:
        openvino = _openvino()
        side = EXAMPLE_MULTIPLES * size_multiple(plan.architecture)
        example = torch.zeros(1, plan.in_channels, *[side] * plan.dimensions)
        whole_slices = (-1, plan.in_channels, -1, -1)
        shape = whole_slices if plan.dimensions == 2 else (1, plan.in_channels, *plan.patch_size)
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        try:
            with quiet_tracing(), torch.inference_mode():
                model = openvino.convert_model(network, example_input=example)
            model.reshape(list(shape))
            self._request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
        except _faults(openvino) as error:
            message = f"Expected a network that OpenVINO {version(OPENVINO)} compiles, found: {error!s:.300}."
            raise ArtifactError(message) from error
        self._lock = threading.Lock()

    def __call__(self, batch: Tensor) -> Tensor:
        """Map (batch, channel, [slice,] row, column) to logits."""
        array = np.ascontiguousarray(batch.numpy())
        with self._lock:
            found = self._request.infer([array], share_inputs=True)[0]
            return torch.from_numpy(np.array(found))


def _pytorch(network: nn.Module, _: Plan) -> Network:
    return network


#: How each backend makes of a network what runs it.
BACKENDS: Mapping[str, Callable[[nn.Module, Plan], Network]] = {PYTORCH: _pytorch, OPENVINO: OpenVinoNetwork}


def is_available(name: str) -> bool:
    """Tell whether the library of a backend is installed."""
    return name == PYTORCH or (name in BACKENDS and importlib.util.find_spec(name) is not None)


def version(name: str) -> str:
    """Return the version of a backend's library, empty where it is not installed."""
    if name == PYTORCH:
        return str(torch.__version__)
    return str(_openvino().__version__) if is_available(name) else ""


def make_network(name: str, network: nn.Module, plan: Plan, device: torch.device) -> Network:
    """Make what runs a network: the backend wanted where it can be had, else PyTorch, said in the log.

    Args:
        name: A key of `BACKENDS`: what validation chose.
        network: In evaluation mode, on `device`.
        plan: Its plan.
        device: A GPU is PyTorch's.

    Returns:
        Maps a batch to logits.
    """
    if device.type != "cpu" or name == PYTORCH:
        return network
    if not is_available(name):
        logger.warning("%s, which the bundle chose for CPUs, is not installed here: PyTorch is used", name)
        return network
    try:
        return BACKENDS[name](network, plan)
    except ArtifactError as error:
        logger.warning("PyTorch is used: %s", error)
        return network


@contextmanager
def quiet_tracing() -> Iterator[None]:
    """Hold back torch's warnings of every size that a layer checks while it is traced, and keep the log as it was.

    OpenVINO sets the root logger to errors alone, and leaves it so when it fails.
    """
    root = logging.getLogger()
    level, filters, handlers = root.level, root.filters[:], root.handlers[:]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
        root.filters[:], root.handlers[:] = filters, handlers


def _faults(openvino: Any) -> tuple[type[Exception], ...]:
    """Return what OpenVINO raises of a network that it can't take: its own faults have no common ancestor."""
    own = vars(openvino.frontend).values()
    return (RuntimeError, *(fault for fault in own if isinstance(fault, type) and issubclass(fault, Exception)))


def _openvino() -> Any:
    # Its import reports to Google Analytics where this package can be imported; without it a stub of its own says nothing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino.frontend

    return openvino
