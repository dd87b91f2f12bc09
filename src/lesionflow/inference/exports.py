"""A bundle's network as a program of `torch.export` or as ONNX, given away only where it answers as the network itself does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesionflow.data.bundle import Bundle
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.inference.backends import PYTORCH, quiet_tracing
from lesionflow.inference.stage import Stage
from lesionflow.io.files import replacing_file
from lesionflow.machine.extras import require
from lesionflow.models import size_multiple

#: How far a logit may be from the network's own, as a share of the largest (of 1, where all are smaller): float32 summed in another order.
MOST_DIFFERENCE_FRACTION = 1e-4
#: Images asked about have this many parts of the smallest size that the network takes.
EXAMPLE_MULTIPLES = 2
#: ONNX's operators of 2024, which OpenVINO, ONNX Runtime and TensorRT all take.
OPSET = 20
INPUT, OUTPUT = "image", "logits"


class Parity(NamedTuple):
    """How far the exported network is from the bundle's own: the largest difference of a logit, and the largest logit."""

    max_difference: float
    max_logit: float

    @property
    def holds(self) -> bool:
        """Whether the difference is that of rounding alone."""
        return self.max_difference <= MOST_DIFFERENCE_FRACTION * max(1.0, self.max_logit)


def export_torch(bundle: Bundle, path: Path) -> Parity:
    """Write the network as a program of `torch.export`: graph and weights, no code of ours, loaded by `torch.export.load`.

    Args:
        bundle: The model.
        path: The file, ending in `.pt2`.

    Returns:
        How far its answers are from the network's own.

    Raises:
        ConfigError: When the bundle is no single network of ours.
        ArtifactError: When it answers otherwise; nothing is written.
    """
    network, example = network_of(bundle)
    automatic = torch.export.Dim.AUTO
    dynamic = {axis: automatic for axis in range(example.ndim) if axis != 1}
    with quiet_tracing():
        program = torch.export.export(network, (example,), dynamic_shapes=(dynamic,))
    with replacing_file(path) as partial:
        torch.export.save(program, partial)
        answer = torch.export.load(partial).module()
        return compare_answers(
            network, example, lambda image: answer(torch.from_numpy(image)).detach().numpy(), path.name
        )


def export_onnx(bundle: Bundle, path: Path) -> Parity:
    """Write the network as ONNX, checked by ONNX's own checker and run by its reference implementation.

    Args:
        bundle: The model.
        path: The file, ending in `.onnx`. Its input is `image`, its output `logits`; batch and places are free.

    Returns:
        How far its answers are from the network's own.

    Raises:
        ConfigError: When the bundle is no single network of ours, or the extra `onnx` is not installed.
        ArtifactError: When it answers otherwise; nothing is written.
    """
    require("onnx")
    import onnx
    from onnx.reference import ReferenceEvaluator

    network, example = network_of(bundle)
    free = {axis: f"{'batch' if axis == 0 else f'place_{axis - 1}'}" for axis in range(example.ndim) if axis != 1}
    with replacing_file(path) as partial:
        with quiet_tracing(), torch.inference_mode():
            torch.onnx.export(
                network,
                (example,),
                partial,
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: free, OUTPUT: free},
            )
        model: Any = onnx.load(partial)
        onnx.checker.check_model(model, full_check=True)
        evaluator = ReferenceEvaluator(model)
        return compare_answers(
            network, example, lambda image: np.asarray(evaluator.run(None, {INPUT: image})[0]), path.name
        )


def network_of(bundle: Bundle) -> tuple[nn.Module, Tensor]:
    """Return the network on the CPU, and two images (batch, channel, [slice,] row, column) in model space that it takes.

    Raises:
        ConfigError: When the bundle is no single network of ours.
    """
    plan = bundle.plan
    if plan.coarse is not None or plan.foreign is not None:
        what = "a cascade of two networks" if plan.coarse is not None else "a network of another program"
        raise ConfigError(f"Expected a bundle of one network to export, found {what}. Export another version.")
    network = Stage(plan, bundle.weights, device=torch.device("cpu"), backend=PYTORCH).network
    if not isinstance(network, nn.Module):
        raise ConfigError("Expected a network of PyTorch to export, found another.")
    side = EXAMPLE_MULTIPLES * size_multiple(plan.architecture)
    example = np.random.default_rng(0).normal(size=(2, plan.in_channels, *[side] * plan.dimensions))
    return network, torch.from_numpy(example.astype(np.float32))


def compare_answers(
    network: nn.Module, example: Tensor, answer: Callable[[NDArray[np.float32]], NDArray[np.float32]], name: str
) -> Parity:
    """Ask both about images of the example's size and of half as much again along the last axis.

    Args:
        network: What the bundle's own network says.
        example: An image that it takes.
        answer: What the exported one says.
        name: Of the file, for messages.

    Raises:
        ArtifactError: When they answer otherwise.
    """
    rng = np.random.default_rng(1)
    wider = (*example.shape[:-1], example.shape[-1] + example.shape[-1] // 2)
    difference, largest = 0.0, 0.0
    for shape in (tuple(example.shape), wider):
        image = rng.normal(size=shape).astype(np.float32)
        with torch.inference_mode():
            ours = network(torch.from_numpy(image)).numpy()
        theirs = answer(image)
        off = np.nan_to_num(np.abs(ours - theirs), nan=np.inf)
        difference, largest = max(difference, float(off.max())), max(largest, float(np.abs(ours).max()))
    found = Parity(difference, largest)
    if not found.holds:
        raise ArtifactError(
            f"Expected {name} to answer as the bundle's own network does, to {MOST_DIFFERENCE_FRACTION:g} of the largest logit {largest:.3g}, found "
            f"logits {difference:.3g} apart. Nothing is written."
        )
    return found
