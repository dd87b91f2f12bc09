"""nnU-Net's raw layout: `imagesTr/<case>_0000<ending>`, `labelsTr/<case><ending>`, `dataset.json` (of version 2 or 1)."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lesionflow.data.volume import Mask, require_same_grid
from lesionflow.errors import InputError
from lesionflow.io.files import parse_json
from lesionflow.io.images import files as image_files
from lesionflow.io.labels import translate
from lesionflow.io.layouts.modalities import choose_channels
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy
from lesionflow.machine.faults import blame_machine

CHANNEL_FILE = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")


def detect(folder: Path) -> bool:
    """Tell whether a folder has nnU-Net's raw layout."""
    return (folder / "dataset.json").is_file() and (folder / "imagesTr").is_dir()


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield one study a case; nnU-Net knows no patients, so each case is its own."""
    files: dict[str, list[str]] = defaultdict(list)
    for path in sorted((folder / "imagesTr").iterdir()):
        match = CHANNEL_FILE.match(image_files.stem(path))
        if match and image_files.ending(path) and path.is_file():
            files[match["case"]].append(str(path))
    labels: dict[str, list[str]] = defaultdict(list)
    for path in sorted((folder / "labelsTr").iterdir()) if (folder / "labelsTr").is_dir() else ():
        if image_files.ending(path) and path.is_file():
            labels[image_files.stem(path)].append(str(path))
    for case in sorted(files):
        paths = (*files[case], *labels[case], str(folder / "dataset.json"))
        roles = tuple(f"{Path(p).parent.name} {image_files.stem(Path(p))[-5:]}" for p in paths)
        yield SourceStudy(case, case, paths, roles=roles)


def read_study(source: SourceStudy, rules: ReadingRules, *, name: str) -> ReadStudy:
    """Read one case.

    Args:
        source: From `find_studies`.
        rules: Channels and labels by the names in `dataset.json`.
        name: What to call the case in messages.

    Returns:
        The channels and the mask, label values brought to those of the rules.

    Raises:
        InputError: `missing_channel`, `unknown_label`, `no_matching_outline`, `no_outline`, `broken_dataset_json`,
            `geometry_mismatch`, and all reasons of image files.
    """
    names, declared = _declaration(Path(source.files[-1]), name)
    volumes = {}
    for channel, called in choose_channels(rules, names, name=name).items():
        wanted = f"{source.key}_{names[called]:04d}"
        files = [Path(file) for file in source.files if image_files.stem(Path(file)) == wanted]
        if len(files) != 1:
            raise InputError(
                f"Expected one file for channel {channel} of {name}, found {len(files)}.", reason="missing_channel"
            )
        image_files.require_unit(files[0], rules.channels[channel].modality, name=name)
        volumes[channel] = image_files.read_volume(files[0], name=name)
    masks = [Path(file) for file in source.files[:-1] if Path(file).parent.name == "labelsTr"]
    if len(masks) != 1:
        raise InputError(
            f"Expected one label file for {name}, found {len(masks)}. Outline it or leave it out.",
            reason="ambiguous_outlines" if masks else "no_outline",
        )
    mask = image_files.read_mask(masks[0], range(256), name=name)
    reference = volumes[rules.reference].geometry
    require_same_grid(reference, mask.geometry, f"Image and mask of {name}")
    return ReadStudy(volumes, translate(Mask(mask.labels, reference), declared, rules, name=name))


def _declaration(path: Path, name: str) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Return channel numbers and label values by name; version 1 has both the other way round."""
    try:
        content: dict[str, Any] = parse_json(path)
        channels = content["channel_names"] if "channel_names" in content else content["modality"]
        numbers = {str(channel): int(number) for number, channel in channels.items()}
        labels = {str(k): v for k, v in content["labels"].items()}
        if labels and all(key.isdigit() for key in labels):
            labels = {str(structure): int(value) for value, structure in labels.items()}
        values = {k: tuple(map(int, v)) if isinstance(v, list) else (int(v),) for k, v in labels.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        blame_machine(error)
        raise InputError(
            f"Expected channel_names and labels in dataset.json of {name}, found: {error!s:.150}. Mend it.",
            reason="broken_dataset_json",
        ) from error
    return numbers, {structure: value for structure, value in values.items() if any(value)}
