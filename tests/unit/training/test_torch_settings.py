"""What torch keeps globally is put back as it was, whatever happens in between."""

import contextlib
import logging
import os
import warnings
from dataclasses import replace

import pytest
import torch
from lightning_fabric.utilities.warnings import PossibleUserWarning

from lesionflow.training.torch_settings import torch_settings
from support.training_cases import RECIPE

LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")


def everything():
    return {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,
        "benchmark": torch.backends.cudnn.benchmark,
        "levels": [logging.getLogger(name).level for name in LOGGERS],
        "warnings": list(warnings.filters),
    }


@pytest.fixture
def others(monkeypatch):
    """Settings of whoever calls: none as torch has them by itself, none as a training wants them."""
    before = everything()
    # A training leaves it in the environment, as cuBLAS reads it once; after the test it is as before.
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    torch.set_num_threads(3)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.backends.cudnn.benchmark = True
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
    yield everything()
    torch.set_num_threads(before["threads"])
    torch.use_deterministic_algorithms(before["deterministic"], warn_only=before["warn_only"])
    torch.utils.deterministic.fill_uninitialized_memory = before["fill"]
    torch.backends.cudnn.benchmark = before["benchmark"]
    for name, level in zip(LOGGERS, before["levels"], strict=True):
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_all_is_put_back_after_an_error_too(others, deterministic, error):
    recipe = replace(RECIPE, deterministic=deterministic)
    with contextlib.suppress(ValueError, KeyboardInterrupt), torch_settings(recipe, "cpu", 1):
        assert everything() != others
        if error is not None:
            raise error
    assert everything() == others


def test_operations_that_vary_are_refused_on_a_cpu_and_told_of_on_a_gpu(others):
    for device, tells in (("cpu", False), ("cuda", True)):
        with torch_settings(replace(RECIPE, deterministic=True), device, 2):
            assert torch.get_num_threads() == 2
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.is_deterministic_algorithms_warn_only_enabled() == tells
            assert not torch.utils.deterministic.fill_uninitialized_memory
            assert not torch.backends.cudnn.benchmark
            assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_a_training_that_may_vary_takes_the_fastest_convolutions(others):
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    with torch_settings(replace(RECIPE, deterministic=False), "cuda", 1):
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.benchmark
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


def test_what_somebody_chose_for_cublas_stays(others, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with torch_settings(replace(RECIPE, deterministic=True), "cuda", 1):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_lightnings_advice_is_not_for_our_users_and_other_warnings_are(others, caplog):
    with torch_settings(RECIPE, "cpu", 1):
        warnings.warn("more workers", PossibleUserWarning, stacklevel=1)
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("pytorch_lightning").info("GPU available: False")
            logging.getLogger("lightning_fabric").warning("something is wrong")
        with pytest.warns(UserWarning, match="of our own"):
            warnings.warn("of our own", UserWarning, stacklevel=1)
    assert [record.message for record in caplog.records] == ["something is wrong"]
