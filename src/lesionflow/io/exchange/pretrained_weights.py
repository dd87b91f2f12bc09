"""Weights that others trained, from a file or an address, checked by their sha256."""

import http.client
import pickle  # only its error is named: nothing is loaded by it
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.io.files import CHUNK_BYTES, replacing_file, sha256_file
from lesionflow.machine.error_words import plain_words

TIMEOUT_S = 60
SAFETENSORS = ".safetensors"


def download_weights(url: str, sha256: str, folder: Path) -> Path:
    """Fetch a file once; it stays in the folder under its own hash.

    Args:
        url: `https://` or `http://`.
        sha256: Of the file: its first 8 to 64 hexadecimal digits. Without it nothing is fetched.
        folder: Where it stays.

    Returns:
        The file.

    Raises:
        ArtifactError: When no hash is given, or the file has another.
        ServiceError: When it can't be fetched.
    """
    if not sha256:
        raise ArtifactError(f"Expected train.transfer.sha256 of {url}, found none: weights are not taken unchecked.")
    path = folder / f"{sha256}-{url.rsplit('/', 1)[-1]}"
    if not path.is_file():
        with replacing_file(path) as partial:
            _fetch(url, partial)
            _check(partial, sha256, url)
    return path


def read_weights(path: Path, sha256: str) -> dict[str, Any]:
    """Read a file of weights: `.safetensors`, or one of PyTorch's (`.pth`, `.pt`) of which only tensors are taken.

    Args:
        path: The file.
        sha256: Of the file: its first 8 to 64 hexadecimal digits; empty for one that is trusted as it lies there.

    Returns:
        torch tensors by name; a leading `module.` and an enclosing `state_dict` are taken off.

    Raises:
        ArtifactError: When the file is missing, has another hash or holds something else.
    """
    # torch takes four seconds; the readers of studies need none of it.
    import torch
    from safetensors.torch import load_file

    if not path.is_file():
        raise ArtifactError(f"Expected a file of weights at {path}, found none. Set train.transfer.source.")
    if sha256:
        _check(path, sha256, path.name)
    try:
        is_ours = path.suffix == SAFETENSORS
        content = load_file(path) if is_ours else torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise ArtifactError(
            f"Expected weights alone in {path.name}, found objects or code besides tensors, or no file of weights: nothing of it was run. "
            "Save the network's state_dict, as .safetensors if you can."
        ) from error
    except Exception as error:
        # torch.load raises a dozen kinds of errors on bytes that are not its own.
        message = f"Expected weights in {path.name}, found {plain_words(error, length=200)}."
        raise ArtifactError(message) from error
    inner = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    weights = {str(k).removeprefix("module."): v for k, v in dict(inner).items() if isinstance(v, torch.Tensor)}
    if not weights:
        raise ArtifactError(f"Expected weights by name in {path.name}, found none.")
    return weights


def _fetch(url: str, path: Path) -> None:
    if not url.startswith(("https://", "http://")):
        raise ArtifactError(f"Expected an address that begins with https:// or http://, found {url}.")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, path.open("wb") as file:  # noqa: S310 - checked above
            while block := answer.read(CHUNK_BYTES):
                file.write(block)
    except (OSError, http.client.HTTPException) as error:
        raise ServiceError(
            f"Expected to fetch {url}, found: {error}. Without a network, fetch the file elsewhere and set "
            "train.transfer.source to its path."
        ) from error


def _check(path: Path, sha256: str, name: str) -> None:
    found = sha256_file(path)
    if not found.startswith(sha256):
        raise ArtifactError(
            f"Expected {name} to have the sha256 {sha256}, found {found}: another file, or a broken one. Nothing was loaded."
        )
