"""Copy studies into a workspace's folder of studies, file by file, never over other bytes unasked."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

from lesionflow.errors import ConfigError
from lesionflow.io.files import find_files, parse_json, replacing_file, sha256_file
from lesionflow.io.layouts.recognition import recognize

#: nnU-Net's declaration counts its cases, so two parts of one dataset differ in it.
DECLARATION, COUNT = "dataset.json", "numTraining"
MAX_NAMED = 5


class Copied(NamedTuple):
    """Where the files went, how many were copied, how many were there already, which took the place of other bytes."""

    folder: Path
    n_copied: int
    n_same: int
    replaced: tuple[Path, ...] = ()


def add_files(source: Path, raw: Path, *, replace: bool, given: Path | None = None) -> Copied:
    """Copy a folder of studies into the folder of all studies.

    DICOM goes into a folder of its own, named as the source is; the other layouts have one place for each thing, so
    their files go where they belong. A copy that was broken off is gone on with by the same call.

    Args:
        source: The studies to add.
        raw: Where all studies lie; made when missing.
        replace: A file that is there with other bytes is replaced; without, everything is refused.
        given: What the user called the studies, where `source` is a copy that was made of them.

    Returns:
        What was done.

    Raises:
        ConfigError: When the source is none, or of another layout than what is there, or other bytes are there.
        InputError: `empty_folder` or `unknown_layout`.
    """
    called = given or source
    if not source.is_dir():
        raise ConfigError(f"Expected a folder of studies at {called}, found none.")
    layout = _common_layout(source, raw, called)
    target = raw / source.resolve().name if layout == "dicom" else raw
    new, same, other = _sort_files(source, target)
    if other and not replace:
        named = ", ".join(str(path.relative_to(source)) for path in other[:MAX_NAMED])
        raise ConfigError(
            f"Expected new files in {called}, found {len(other)} that are in {target} with other bytes: {named}. Give "
            "--replace if these are corrections; else add from a folder of another name."
        )
    for path in (*new, *other):
        with replacing_file(target / path.relative_to(source)) as partial:
            shutil.copyfile(path, partial)
    replaced = tuple(target / path.relative_to(source) for path in other)
    return Copied(target, len(new) + len(other), len(same), replaced)


def _common_layout(source: Path, raw: Path, called: Path) -> str:
    layout = recognize(source)[0]
    if raw.exists() and find_files(raw) and (there := recognize(raw)[0]) != layout:
        raise ConfigError(
            f"Expected studies of the layout {there}, as those that are there, found {layout} in {called}."
        )
    return layout


def _sort_files(source: Path, target: Path) -> tuple[list[Path], list[Path], list[Path]]:
    new: list[Path] = []
    same: list[Path] = []
    other: list[Path] = []
    for path in find_files(source):
        there = target / path.relative_to(source)
        if not there.exists():
            new.append(path)
        else:
            (same if _is_same(path, there) else other).append(path)
    return new, same, other


def _is_same(one: Path, other: Path) -> bool:
    if one.name == DECLARATION:
        return _declaration(one) == _declaration(other)
    return one.stat().st_size == other.stat().st_size and sha256_file(one) == sha256_file(other)


def _declaration(path: Path) -> Any:
    try:
        content = parse_json(path)
    except (OSError, ValueError):
        return path.read_bytes()
    return {key: value for key, value in content.items() if key != COUNT} if isinstance(content, dict) else content
