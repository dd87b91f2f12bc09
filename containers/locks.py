"""What each image installs, with hashes: `python -m containers.locks` (needs uv and a package index).

Names are the closure of a dependency group of pyproject.toml over the installed metadata, versions are those of requirements.lock; uv adds
the hashes of all files of a version. The GPU's lock has what torch's CUDA build needs besides, as torch's own metadata pins it.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "3.11"
#: The image's lock by target of the Dockerfile, and the dependency group that it is made of.
GROUPS = {"serve": "serve", "train-cpu": "train", "train-gpu": "train"}
#: What an image goes without, and what is refused by name there: OpenCV's 150 MB for pictures of deep samples alone, SimpleITK's 270 MB for NRRD
#: and MetaImage in rare forms and for models whose plan filters by N4 or curvature flow.
WITHOUT = {"serve": {"opencv-python-headless", "simpleitk"}}
#: The build without CUDA is not on PyPI but in torch's own index: cp311 manylinux_2_28_x86_64. PyPI's would need CUDA's libraries to be imported.
CPU_TORCH = {"torch==2.13.0+cpu": "sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"}
CUDA = re.compile(r"(nvidia-|cuda-|triton==)")
HEADER = "# Made by `python -m containers.locks` from pyproject.toml and requirements.lock.\n"


def lock_of(target: str) -> Path:
    """Return where the lock of a target of the Dockerfile lies."""
    return ROOT / "containers" / f"requirements-{target}.lock"


@cache
def pinned() -> dict[str, str]:
    """Return the version of each name in requirements.lock."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {
        canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines) if version
    }


def roots(group: str) -> list[str]:
    """Return what a dependency group names; our own package and its extras as what they name."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = []
    for line in stated["dependency-groups"][group]:
        asked = Requirement(line)
        if asked.name != "lesionflow":
            found.append(line)
            continue
        found += stated["project"]["dependencies"]
        found += [name for extra in asked.extras for name in stated["project"]["optional-dependencies"][extra]]
    return [name for name in found if canonicalize_name(Requirement(name).name) not in WITHOUT.get(group, ())]


def closure(names: Iterable[str]) -> set[str]:
    """Return names and all that they need here, by the metadata of what is installed.

    Raises:
        importlib.metadata.PackageNotFoundError: What one of them needs is not installed.
    """
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        asked = waiting.pop()
        key = (canonicalize_name(asked.name), frozenset(asked.extras))
        if key in seen:
            continue
        seen.add(key)
        for line in distribution(asked.name).requires or []:
            needed = Requirement(line)
            applies = needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in asked.extras or {""})
            # A CUDA build of torch, where one is installed, names more than the lock does.
            if applies and (not CUDA.match(f"{needed.name}==") or canonicalize_name(needed.name) in pinned()):
                waiting.append(needed)
    return {name for name, _ in seen}


def pins(group: str) -> list[str]:
    """Return what a group installs, as `name==version`, sorted.

    Raises:
        KeyError: Something that it needs is not in requirements.lock.
    """
    versions = pinned()
    return [f"{name}=={versions[name]}" for name in sorted(closure(roots(group)))]


def ask_uv(lines: Iterable[str], *options: str) -> str:
    """Return what `uv pip compile` makes of requirements."""
    command = ["uv", "pip", "compile", "-q", "--python-version", PYTHON, "--no-annotate", "--no-header", *options, "-"]
    asked = "\n".join(lines)
    return subprocess.run(command, input=asked, capture_output=True, text=True, check=True, cwd=ROOT).stdout  # noqa: S603


def cuda_pins() -> list[str]:
    """Return what torch's CUDA build needs besides the lock, on Linux with x86-64."""
    torch = f"torch=={pinned()['torch']}"
    platform = ("--python-platform", "x86_64-manylinux_2_28", "-c", "requirements.lock")
    return [line for line in ask_uv([torch], *platform).splitlines() if CUDA.match(line)]


def make_lock(target: str) -> str:
    """Return the text of a target's lock."""
    lines = pins(GROUPS[target])
    if target == "train-gpu":
        lines = sorted({*lines, *cuda_pins()})
        return HEADER + ask_uv(lines, "--no-deps", "--generate-hashes")
    text = ask_uv([line for line in lines if not line.startswith("torch==")], "--no-deps", "--generate-hashes")
    (torch,) = (f"{line}+cpu" for line in lines if line.startswith("torch=="))
    after = next(place for place in re.finditer(r"^[a-z].*", text, re.MULTILINE) if place[0] > "torch==").start()
    text = f"{text[:after]}{torch} \\\n    --hash={CPU_TORCH[torch]}\n{text[after:]}"
    return HEADER + text


def main() -> int:
    """Write all locks."""
    for target in GROUPS:
        lock_of(target).write_text(make_lock(target))
        sys.stdout.write(f"{lock_of(target).relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
