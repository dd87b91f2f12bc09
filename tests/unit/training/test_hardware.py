"""What the device can do, and what is refused where it can not."""

import os

import pytest
import torch

from lesionflow.errors import ConfigError
from lesionflow.training import resolve_compile, resolve_device, resolve_precision


def test_device_auto_is_cuda_only_where_there_is_one(monkeypatch):
    assert resolve_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"


def test_precision_auto_is_what_the_device_is_built_for(monkeypatch):
    def capable(**found):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
        return [resolve_precision("auto", "cpu", dimensions) for dimensions in (2, 3)]

    assert capable(avx512_bf16=False, avx512_f=True) == ["float32", "float32"]
    assert capable(avx512_bf16=True) == ["bfloat16", "float32"]
    assert capable(amx_bf16=True) == ["bfloat16", "float32"]
    for wanted in ("float32", "bfloat16"):
        assert resolve_precision(wanted, "cpu", 2) == wanted
        assert resolve_precision(wanted, "cuda", 3) == wanted
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    assert resolve_precision("auto", "cuda", 3) == "float16"


def test_compiling_is_for_gpus_unless_params_say_otherwise(monkeypatch):
    assert resolve_compile("auto", device="cuda")
    assert not resolve_compile("auto", device="cpu")
    assert not resolve_compile(wanted=False, device="cuda")
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert resolve_compile(wanted=True, device="cuda")
    with pytest.raises(ConfigError, match=r"C\+\+ compiler for train\.compile true.*g\+\+"):
        resolve_compile(wanted=True, device="cpu")


def test_volumes_are_not_convolved_in_bfloat16_on_a_cpu():
    with pytest.raises(ConfigError, match=r"train\.precision auto or float32.*found bfloat16"):
        resolve_precision("bfloat16", "cpu", 3)


def test_the_newest_gpus_multiply_bfloat16_and_emulation_does_not_count(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **how: asked.append(how) or True)
    assert [resolve_precision("auto", "cuda", dimensions) for dimensions in (2, 3)] == ["bfloat16", "bfloat16"]
    assert asked == [{"including_emulation": False}] * 2


def test_the_compiler_that_the_environment_names_is_looked_for(monkeypatch):
    monkeypatch.setenv("CXX", "our-compiler")
    there = {"our-compiler"}
    monkeypatch.setattr("shutil.which", lambda name: f"{os.sep}bin{os.sep}{name}" if name in there else None)
    assert resolve_compile(wanted=True, device="cpu")
    there.clear()
    there.add("g++")
    with pytest.raises(ConfigError, match=r"C\+\+ compiler"):
        resolve_compile(wanted=True, device="cpu")
    there.add("clang++")
    assert resolve_compile(wanted=True, device="cpu")
