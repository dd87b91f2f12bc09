"""The manifests as kustomize renders them, by the tools that `make manifest-tools` fetches; without them a test skips, saying so."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "manifests"
TOOLS = ROOT / "build" / "manifest-tools"
OVERLAYS = ("laptop", "hospital")
WORKLOADS = ("Deployment", "StatefulSet")


@cache
def rendered(name: str) -> list[dict[str, Any]]:
    """Return the objects of `overlays/NAME`, or of another folder of the manifests."""
    kubectl = TOOLS / "kubectl" / "kubectl"
    if not kubectl.is_file():
        pytest.skip("no kustomize: `make manifest-tools` fetches it")
    at = FOLDER / "overlays" / name if name in OVERLAYS else FOLDER / name
    done = subprocess.run([str(kubectl), "kustomize", str(at)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # A warning is an old form that a later kustomize refuses.
    assert not done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(name: str, *kinds: str) -> list[dict[str, Any]]:
    """Return the overlay's objects of these kinds."""
    return [thing for thing in rendered(name) if thing["kind"] in kinds]


def named(name: str, kind: str, called: str) -> dict[str, Any]:
    """Return one object."""
    (thing,) = (thing for thing in of_kind(name, kind) if thing["metadata"]["name"] == called)
    return thing


def pods(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each workload's name and its pods' spec."""
    for thing in of_kind(name, *WORKLOADS):
        yield thing["metadata"]["name"], thing["spec"]["template"]["spec"]


def containers(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each container with where it stands, those that run first included."""
    for workload, pod in pods(name):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{workload}/{container['name']}", container


def validator() -> Any:
    """Return the module `kubernetes_validate`."""
    if not (TOOLS / "kubernetes_validate").is_dir():
        pytest.skip("no kubernetes-validate: `make manifest-tools` fetches it")
    sys.path.insert(0, str(TOOLS))
    try:
        return pytest.importorskip("kubernetes_validate")
    finally:
        sys.path.remove(str(TOOLS))


def mentions(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, at every depth."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield key, value
            yield from mentions(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from mentions(value)
