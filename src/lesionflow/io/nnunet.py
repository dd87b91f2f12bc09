"""nnU-Net's raw layout: `imagesTr/<case>_0000.nii.gz`, `labelsTr/<case>.nii.gz`, `dataset.json`."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lesionflow.data.volume import Mask
from lesionflow.errors import NiftiError
from lesionflow.io import nifti
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy

CHANNEL_FILE = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})(?P<ending>\.nii(\.gz)?)$")


def detect(folder: Path) -> bool:
    """Tell whether a folder has nnU-Net's raw layout."""
    return (folder / "dataset.json").is_file() and (folder / "imagesTr").is_dir()


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield one study a case; nnU-Net knows no patients, so each case is its own."""
    files: dict[str, list[str]] = defaultdict(list)
    for path in sorted((folder / "imagesTr").iterdir()):
        match = CHANNEL_FILE.match(path.name)
        if match and path.is_file():
            files[match["case"]].append(str(path))
    for case in sorted(files):
        labels = [p for p in (folder / "labelsTr" / f"{case}{end}" for end in (".nii.gz", ".nii")) if p.is_file()]
        yield SourceStudy(case, case, (*files[case], *map(str, labels), str(folder / "dataset.json")))


def read_study(source: SourceStudy, rules: ReadingRules, *, name: str) -> ReadStudy:
    """Read one case.

    Args:
        source: From `find_studies`.
        rules: Its channel names and label names must be those of `dataset.json`.
        name: What to call the case in messages.

    Returns:
        The channels and the mask, label values brought to those of the rules.

    Raises:
        NiftiError: `missing_channel`, `unknown_channel`, `unknown_label`, `no_outline` and all reasons of NIfTI files.
    """
    declared = _declaration(Path(source.files[-1]), name)
    numbers = {str(channel): int(number) for number, channel in declared["channel_names"].items()}
    volumes = {}
    for channel in rules.channels:
        if channel not in numbers:
            raise NiftiError(
                f"Expected the channel {channel} in dataset.json of {name}, found {', '.join(numbers)}. Name the channels of "
                "ingest.channels as the dataset does.",
                reason="unknown_channel",
            )
        wanted = f"{source.key}_{numbers[channel]:04d}.nii"
        files = [file for file in source.files if Path(file).name.removesuffix(".gz") == wanted]
        if len(files) != 1:
            raise NiftiError(
                f"Expected one file for channel {channel} of {name}, found {len(files)}.", reason="missing_channel"
            )
        volumes[channel] = nifti.read_volume(Path(files[0]), name=name)
    masks = [file for file in source.files[:-1] if Path(file).parent.name == "labelsTr"]
    if not masks:
        raise NiftiError(
            f"Expected a label file for {name}, found none. Outline it or leave it out.", reason="no_outline"
        )
    mask = nifti.read_mask(Path(masks[0]), name=name)
    return ReadStudy(volumes, _translate(mask, declared["labels"], rules, name))


def _declaration(path: Path, name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        dict(content["channel_names"]), dict(content["labels"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NiftiError(
            f"Expected channel_names and labels in dataset.json of {name}, found: {error!s:.150}.",
            reason="broken_dataset_json",
        ) from error
    return content


def _translate(mask: Mask, declared: dict[str, Any], rules: ReadingRules, name: str) -> Mask:
    """Bring label values of the dataset to those of the rules, by name; labels that no rule names become background."""
    table = np.zeros(256, dtype=np.uint8)
    known = np.zeros(256, dtype=bool)
    known[0] = True
    for label, values in declared.items():
        for value in values if isinstance(values, list) else [values]:
            known[int(value)] = True
            if label in rules.labels and not isinstance(values, list):
                table[int(value)] = rules.labels[label]
            elif int(value) in rules.labels.values() and isinstance(values, list):
                table[int(value)] = int(value)
    present = np.unique(mask.labels)
    unknown = [int(value) for value in present if not known[value]]
    if unknown:
        raise NiftiError(
            f"Expected only labels that dataset.json declares in {name}, found {unknown}. Declare or remove them.",
            reason="unknown_label",
        )
    if not table.any():
        raise NiftiError(
            f"Expected a label of ingest.labels ({', '.join(rules.labels)}) in dataset.json of {name}, found "
            f"{', '.join(declared)}.",
            reason="no_matching_outline",
        )
    return Mask(table[mask.labels], mask.geometry)
