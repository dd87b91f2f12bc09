"""What is exported answers as the network does, by ONNX's reference, by OpenVINO and by torch without our code; what does not is not written."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.inference import exports
from lesionflow.inference.exports import Parity, export_onnx, export_torch
from support.bundles import threshold_bundle


@pytest.fixture(scope="module")
def bundle():
    """Logits are 20 times what the middle slice is above 40 HU, the mean of model space; batch norms' 1e-5 take 0.03 of it away."""
    return threshold_bundle(40.0, 0)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(3).normal(size=(3, 3, 32, 64)).astype(np.float32)


def test_a_program_of_torch_is_the_threshold_at_any_size_and_batch(bundle, image, tmp_path):
    found = export_torch(bundle, tmp_path / "network.pt2")
    assert found.max_difference < 1e-3
    logits = torch.export.load(tmp_path / "network.pt2").module()(torch.from_numpy(image))
    np.testing.assert_allclose(logits.detach().numpy()[:, 0], 20 * image[:, 1], atol=0.05)


def test_onnx_is_the_threshold_for_another_runtime(bundle, image, tmp_path):
    pytest.importorskip("onnx")
    openvino = pytest.importorskip("openvino")
    found = export_onnx(bundle, tmp_path / "network.onnx")
    assert found.holds
    compiled = openvino.Core().compile_model(tmp_path / "network.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(compiled([image])[0][:, 0], 20 * image[:, 1], atol=0.05)


def test_one_that_answers_otherwise_is_not_written(bundle, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    monkeypatch.setattr(exports, "MOST_DIFFERENCE_FRACTION", -1.0)
    with pytest.raises(ArtifactError, match=r"network\.onnx.*logits.*apart"):
        export_onnx(bundle, tmp_path / "network.onnx")
    assert list(tmp_path.iterdir()) == []


def test_rounding_is_told_from_another_answer():
    assert Parity(0.9e-4, 0.5).holds
    assert Parity(0.09, 1000.0).holds
    assert not Parity(1.1e-4, 1.0).holds
    assert not Parity(float("inf"), 1.0).holds


def test_a_cascade_is_refused(bundle, tmp_path):
    plan = Plan.model_construct(**{**dict(bundle.plan), "coarse": object()})
    with pytest.raises(ConfigError, match="cascade"):
        export_torch(replace(bundle, plan=plan), tmp_path / "network.pt2")
