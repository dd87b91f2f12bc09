"""nnU-Net's raw layout: `imagesTr/<case>_0000<ending>`, `labelsTr/<case><ending>`, `dataset.json` (of version 2 or 1)."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from lesionflow.errors import InputError
from lesionflow.io.declarations import read_declaration
from lesionflow.io.images import files as image_files
from lesionflow.io.images.masks import read_mask_on
from lesionflow.io.images.plausibility import check_values
from lesionflow.io.labels import translate
from lesionflow.io.layouts.modalities import choose_channels
from lesionflow.io.layouts.patients import patient_of
from lesionflow.io.notes import took
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy

CHANNEL_FILE = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")

LOST = (
    "mask_without_image",
    "Expected an image in imagesTr for each file of labelsTr, found a label file without one. Add `<case>_0000` or remove it.",
)


def detect(folder: Path) -> bool:
    """Tell whether a folder has nnU-Net's raw layout."""
    return (folder / "dataset.json").is_file() and (folder / "imagesTr").is_dir()


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield one study a case; a label whose image is absent is one too, to be named. Patients are told by the cases' names."""
    files: dict[str, list[str]] = defaultdict(list)
    for path in sorted((folder / "imagesTr").iterdir()):
        match = CHANNEL_FILE.match(image_files.stem(path))
        if match and image_files.ending(path) and path.is_file():
            files[match["case"]].append(str(path))
    labels: dict[str, list[str]] = defaultdict(list)
    for path in sorted((folder / "labelsTr").iterdir()) if (folder / "labelsTr").is_dir() else ():
        if image_files.ending(path) and path.is_file():
            labels[image_files.stem(path)].append(str(path))
    for case in sorted({*files, *labels}):
        paths = (*files.get(case, ()), *labels.get(case, ()), str(folder / "dataset.json"))
        roles = tuple(f"{Path(p).parent.name} {image_files.stem(Path(p))[-5:]}" for p in paths)
        yield SourceStudy(case, patient_of(case), paths, None if files.get(case) else LOST, roles=roles)


def read_study(source: SourceStudy, rules: ReadingRules, *, name: str) -> ReadStudy:
    """Read one case.

    Args:
        source: From `find_studies`.
        rules: Channels and labels by the names in `dataset.json`, whose `ignore` is what is not known.
        name: What to call the case in messages.

    Returns:
        The channels and the mask, label values brought to those of the rules.

    Raises:
        InputError: `missing_channel`, `no_outline`, `broken_dataset_json`, `geometry_mismatch`, and all reasons of labels and image
            files.
    """
    names, declared = read_declaration(Path(source.files[-1]), name=name)
    volumes, drawn_on = {}, {}
    for channel, called in choose_channels(rules, names, name=name).items():
        wanted = f"{source.key}_{names[called]:04d}"
        files = [Path(file) for file in source.files if image_files.stem(Path(file)) == wanted]
        if len(files) != 1:
            raise InputError(
                f"Expected one file for channel {channel} of {name}, found {len(files)}.", reason="missing_channel"
            )
        image_files.require_unit(files[0], rules.channels[channel].modality, name=name)
        volumes[channel] = image_files.read_volume(files[0], name=name)
        drawn_on[channel] = files[0]
        took(channel, files[0].name)
        check_values(volumes[channel], rules.channels[channel].modality, name=name)
    masks = [Path(file) for file in source.files[:-1] if Path(file).parent.name == "labelsTr"]
    if len(masks) != 1:
        raise InputError(
            f"Expected one label file for {name}, found {len(masks)}. Outline it or leave it out.",
            reason="ambiguous_outlines" if masks else "no_outline",
        )
    image_files.require_same_turn(
        (Path(file) for file in source.files if Path(file).parent.name == "imagesTr"), masks, name=name
    )
    reference = volumes[rules.reference].geometry
    mask = read_mask_on(masks[0], reference, range(256), image=drawn_on.get(rules.reference), name=name)
    return ReadStudy(volumes, translate(mask, declared, rules, name=name))
