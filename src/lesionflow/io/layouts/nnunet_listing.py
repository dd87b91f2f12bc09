"""nnU-Net 2's key `dataset` in `dataset.json`: each case's images, in the order of the channels, and its label, wherever they lie."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from lesionflow.io.files import parse_json
from lesionflow.io.images import image_files
from lesionflow.io.rules import CASE
from lesionflow.machine.faults import blame_machine

DECLARATION = "dataset.json"
ABSENT = (
    "missing_file",
    f"Expected the files that `dataset` in {DECLARATION} lists for {CASE}, found one absent or of another kind. Add it.",
)
OUTSIDE = (
    "unsafe_path",
    f"Expected paths within the folder of {DECLARATION} for {CASE}, found one out of it. Put it there; list relative paths.",
)
MALFORMED = (
    "broken_dataset_json",
    f'Expected `{{"images": [...], "label": "..."}}` for {CASE} in `dataset` of {DECLARATION}, found something else. Mend it.',
)


class Listed(NamedTuple):
    """Files of a case: images by the number of their channel (one each where all is well), labels, and what is wrong with them."""

    images: Mapping[int, tuple[Path, ...]]
    labels: tuple[Path, ...]
    fault: tuple[str, str] | None = None


def read_content(folder: Path) -> dict[str, Any]:
    """Return what the declaration holds; nothing where it can't be read, which is told when a case is read."""
    try:
        content = parse_json(folder / DECLARATION)
    except (OSError, ValueError) as error:
        blame_machine(error)
        return {}
    return content if isinstance(content, dict) else {}


def listed_cases(folder: Path) -> dict[str, Listed]:
    """Return the cases that the key `dataset` lists.

    Args:
        folder: Where the declaration lies; paths are relative to it.

    Returns:
        By the cases' names; empty where there is no such key. One whose files are absent or lie elsewhere carries its fault.
    """
    cases = read_content(folder).get("dataset")
    if not isinstance(cases, dict) or not any(isinstance(entry, dict) for entry in cases.values()):
        return {}
    return {str(case): _listed(folder, entry) for case, entry in sorted(cases.items())}


def _listed(folder: Path, entry: object) -> Listed:
    images = entry.get("images") if isinstance(entry, dict) else None
    label = entry.get("label") if isinstance(entry, dict) else None
    named = [*images, label] if isinstance(images, list) and images and isinstance(label, str) else []
    if not named or not all(isinstance(path, str) and path for path in named):
        return Listed({}, (), MALFORMED)
    if any(_is_outside(path) for path in named):
        return Listed({}, (), OUTSIDE)
    files = [folder / path for path in named]
    whole = all(path.is_file() and image_files.ending(path) for path in files)
    return Listed({number: (path,) for number, path in enumerate(files[:-1])}, (files[-1],), None if whole else ABSENT)


def _is_outside(path: str) -> bool:
    of = PurePosixPath(path.replace("\\", "/"))
    return of.is_absolute() or ".." in of.parts or ":" in path
