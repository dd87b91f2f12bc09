"""What the device can do: where to compute, in which precision, and whether to compile."""

import os
import shutil

import torch

from lesionflow.errors import ConfigError


def resolve_device(wanted: str) -> str:
    """Turn `auto` into `cuda` where there is one, `cpu` otherwise.

    Args:
        wanted: `auto`, `cpu` or `cuda`.

    Returns:
        `cpu` or `cuda`.
    """
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def resolve_precision(wanted: str, device: str, dimensions: int) -> str:
    """Turn `auto` into what the device multiplies in hardware; emulated, bfloat16 is slower than float32.

    On a CPU, volumes are never convolved in bfloat16: torch 2.13's gradient of their kernels there reads memory that
    nobody wrote, so that it is wrong now and then, and NaN at times. Pictures' and slices' gradients are right.

    Args:
        wanted: `auto`, `float32` or `bfloat16`.
        device: `cpu` or `cuda`.
        dimensions: Of the network's convolutions, 2 or 3.

    Returns:
        `float32`, `bfloat16` or, on older GPUs, `float16`.

    Raises:
        ConfigError: When bfloat16 is wanted of volumes on a CPU.
    """
    in_volumes = device == "cpu" and dimensions == 3
    if wanted == "bfloat16" and in_volumes:
        raise ConfigError(
            "Expected train.precision auto or float32 for a 3D network on a CPU, found bfloat16: "
            "torch computes wrong gradients there."
        )
    if wanted != "auto":
        return wanted
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    if in_volumes:
        return "float32"
    found = torch.cpu.get_capabilities()
    return "bfloat16" if any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")) else "float32"


def resolve_compile(wanted: bool | str, *, device: str) -> bool:  # noqa: FBT001 - as params say it
    """Turn `auto` into whether the device is one that gains by it.

    Args:
        wanted: `auto`, true or false.
        device: `cpu` or `cuda`.

    Returns:
        Whether to compile.

    Raises:
        ConfigError: When it is wanted of a CPU and there is no C++ compiler.
    """
    if wanted == "auto":
        return device == "cuda"
    if wanted and device == "cpu" and not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "clang++")):
        raise ConfigError(
            "Expected a C++ compiler for train.compile true on a CPU, found none. Install g++, or set train.compile to auto."
        )
    return bool(wanted)
