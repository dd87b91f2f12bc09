from dataclasses import replace

import numpy as np
import pytest
import torch

from lesionflow.calibration import backend_choice as parity
from lesionflow.data.bundle import Bundle
from lesionflow.data.calibration import BackendChoice
from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.inference import backends
from lesionflow.inference.backends import BACKENDS, version
from lesionflow.models import build_model
from support.bundles import small_bundle, small_calibration


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


class TestChoice:
    @pytest.fixture
    def timed(self, monkeypatch):
        """Both backends segment; the clock says what it is told."""

        def use(pytorch_s, openvino_s):
            whole = parity._timed

            def told(segmenter, case):
                seconds = {"pytorch": pytorch_s, "openvino": openvino_s}[segmenter.backend]
                return replace(whole(segmenter, case), timings_s={"network": seconds})

            monkeypatch.setattr(parity, "_timed", told)

        return use

    @pytest.mark.parametrize(("seconds", "name"), [(8.4, "openvino"), (8.6, "pytorch"), (20.0, "pytorch")])
    def test_the_faster_one_of_the_same_masks(self, timed, seconds, name):
        timed(10.0, seconds)
        found = parity.choose_backend(_bundle(), lambda _: _case(), ["a", "b"])
        assert (found.name, found.n_cases, found.equal_fraction, found.dice) == (name, 2, 1.0, 1.0)
        assert (found.seconds, found.seconds_pytorch) == (2 * seconds, 20.0)
        assert found.compared == f"openvino {version('openvino')}"

    def test_no_speed_makes_up_for_another_mask(self, timed, monkeypatch):
        timed(10.0, 1.0)
        build = BACKENDS["openvino"]

        def shifted(network, plan):
            right = build(network, plan)
            return lambda batch: right(batch).roll(1, dims=-1)

        monkeypatch.setattr(backends, "BACKENDS", {**BACKENDS, "openvino": shifted})
        found = parity.choose_backend(_bundle(), lambda _: _case(), ["a"])
        assert found.name == "pytorch"
        assert found.equal_fraction < 0.9999
        assert found.dice < 0.9995

    def test_no_more_cases_than_time_and_none_that_takes_minutes(self, timed, monkeypatch):
        timed(parity.LONGEST_S, 1.0)
        assert parity.choose_backend(_bundle(), lambda _: _case(), ["a", "b"]).n_cases == 1
        monkeypatch.undo()
        monkeypatch.setattr(parity, "LONGEST_S", 0.0)
        assert parity.choose_backend(_bundle(), lambda _: _case(), ["a"]) is None

    def test_without_the_library_nothing_is_compared(self, monkeypatch):
        monkeypatch.setattr(parity, "is_available", lambda name: name == "pytorch")
        assert parity.choose_backend(_bundle(), lambda _: _case(), ["a"]) is None
