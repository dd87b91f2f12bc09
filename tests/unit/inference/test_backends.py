"""Every backend says what PyTorch says; validation's masks and time decide which one serves."""

import importlib
import logging
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from lesionflow.data.bundle import Bundle
from lesionflow.data.calibration import BackendChoice
from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.plan import ArchitecturePlan
from lesionflow.data.volume import Mask, Volume
from lesionflow.inference import Segmenter, backends
from lesionflow.inference.backends import BACKENDS, is_available, make_network, version
from lesionflow.models import ARCHITECTURES, build_model
from support.bundles import small_bundle, small_calibration

CPU = torch.device("cpu")
#: Float32 sums in another order, through some twenty layers.
LOGIT_TOLERANCE = 2e-3


def _bundle(seed: int = 3, backend: BackendChoice | None = None) -> Bundle:
    bundle = small_bundle()
    torch.manual_seed(seed)
    network = build_model(bundle.plan.architecture, in_channels=3, out_channels=1, dimensions=2)
    with torch.no_grad():
        network.get_parameter("output.bias").zero_()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    return replace(bundle, weights=weights, calibration=small_calibration(), backend=backend)


def _case(seed: int = 0, shape: tuple[int, int, int] = (5, 41, 37)) -> Case:
    """Noise smooth enough to have lesions."""
    geometry = Geometry.from_parts(shape, (3.0, 0.8, 0.5))
    coarse = np.random.default_rng(seed).normal(50, 80, (5, 7, 7)).astype(np.float32)
    array = np.kron(coarse, np.ones((1, 6, 6), np.float32))[None, :, : shape[1], : shape[2]]
    return Case("c-1", "p-1", ("CT",), Volume(array, geometry), Mask(np.zeros(shape, np.uint8), geometry))


def _choice(name: str) -> BackendChoice:
    return BackendChoice(
        name=name, compared="openvino 1", n_cases=1, equal_fraction=1.0, dice=1.0, seconds=1.0, seconds_pytorch=2.0
    )


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(
    ("architecture", "dimensions"), [(name, n) for name, known in ARCHITECTURES.items() for n in known.dimensions]
)
def test_every_architecture_gives_the_logits_of_pytorch(name, architecture, dimensions):
    torch.manual_seed(1)
    plan = small_bundle().plan.model_copy(
        update={
            "dimensions": dimensions,
            "architecture": ArchitecturePlan(
                name=architecture, options=dict(ARCHITECTURES[architecture].small_options)
            ),
            "patch_size": (16, 32, 48),
            "context_slices": 3 if dimensions == 2 else 1,
        }
    )
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=2, dimensions=dimensions).eval()
    made = make_network(name, network, plan, CPU)
    sizes = [(5, 32, 64), (2, 64, 32)] if dimensions == 2 else [(1, 16, 32, 48)] * 2
    for n, *size in sizes:
        batch = torch.randn(n, plan.in_channels, *size)
        with torch.inference_mode():
            expected = network(batch)
        torch.testing.assert_close(made(batch), expected, atol=LOGIT_TOLERANCE, rtol=LOGIT_TOLERANCE)


def test_flipped_batches_which_are_no_plain_memory_are_read_right():
    bundle = _bundle()
    network = build_model(bundle.plan.architecture, in_channels=3, out_channels=1, dimensions=2).eval()
    made = make_network("openvino", network, bundle.plan, CPU)
    batch = torch.randn(2, 3, 32, 48)[..., ::2].transpose(2, 3)
    with torch.inference_mode():
        torch.testing.assert_close(made(batch), network(batch), atol=LOGIT_TOLERANCE, rtol=LOGIT_TOLERANCE)


def test_the_bundle_says_what_runs_the_network():
    assert Segmenter(_bundle(), device="cpu").backend == "pytorch"
    assert Segmenter(_bundle(backend=_choice("pytorch")), device="cpu").backend == "pytorch"
    assert Segmenter(_bundle(backend=_choice("openvino")), device="cpu").backend == "openvino"
    assert Segmenter(_bundle(backend=_choice("openvino")), device="cpu", backend="pytorch").backend == "pytorch"


def test_both_give_the_same_mask_of_a_study():
    case = _case()
    segmenters = [Segmenter(_bundle(), device="cpu", backend=backend) for backend in BACKENDS]
    masks = [segmenter.segment(case.volume, case_id="c-1").mask.labels for segmenter in segmenters]
    assert 0 < masks[0].sum() < masks[0].size
    np.testing.assert_array_equal(*masks)


def test_without_the_library_pytorch_is_used_and_the_log_says_so(monkeypatch, caplog):
    bundle = _bundle(backend=_choice("openvino"))
    monkeypatch.setattr(backends, "is_available", lambda name: name == "pytorch")
    with caplog.at_level(logging.WARNING):
        assert Segmenter(bundle, device="cpu").backend == "pytorch"
    assert "openvino, which the bundle chose for CPUs, is not installed here" in caplog.text


def test_a_network_that_can_not_be_compiled_runs_by_pytorch_and_the_log_says_so(caplog):
    class Odd(torch.nn.Module):
        def forward(self, batch):
            return torch.linalg.eigvals(batch @ batch.transpose(-1, -2)).real

    network = Odd().eval()
    with caplog.at_level(logging.WARNING):
        assert make_network("openvino", network, small_bundle().plan, CPU) is network
    assert "PyTorch is used: Expected a network that OpenVINO" in caplog.text


def test_a_gpu_is_pytorchs():
    network = torch.nn.Identity()
    assert make_network("openvino", network, small_bundle().plan, torch.device("cuda")) is network


def test_openvino_reports_to_nobody():
    assert version("openvino")
    assert sys.modules["openvino_telemetry"] is None
    telemetry_utils = importlib.import_module("openvino.tools.ovc.telemetry_utils")
    assert telemetry_utils.tm.__name__ == "openvino.tools.ovc.telemetry_stub"


def test_what_can_not_be_had_is_not_available():
    assert is_available("pytorch")
    assert not is_available("abacus")
    assert version("abacus") == ""
