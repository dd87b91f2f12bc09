"""The Medical Segmentation Decathlon's layout: `dataset.json` lists images of three or four axes and their labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lesionflow.data.volume import Mask, require_same_grid
from lesionflow.errors import InputError
from lesionflow.io.files import parse_json
from lesionflow.io.images import files as image_files
from lesionflow.io.labels import translate
from lesionflow.io.layouts.modalities import choose_channels
from lesionflow.io.layouts.patients import patient_of
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy
from lesionflow.machine.faults import blame_machine

DECLARATION = "dataset.json"


def detect(folder: Path) -> bool:
    """Tell whether `dataset.json` lists images that lie there under the names it gives (nnU-Net's older form has others)."""
    listed = _listed(folder)
    return bool(listed) and any((folder / image).is_file() for image, _ in listed)


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield one study a listed image; what is listed and absent carries its fault."""
    for image, label in _listed(folder):
        key = image_files.stem(Path(image))
        paths = [folder / image, folder / label]
        missing = [path for path in paths if not path.is_file()]
        fault = None
        if missing:
            message = f"Expected the files that {DECLARATION} lists, found {len(missing)} of a case absent. Add them."
            fault = ("missing_file", message)
        files = (*(str(path) for path in paths if path not in missing), str(folder / DECLARATION))
        yield SourceStudy(key, patient_of(key), files, fault)


def read_study(source: SourceStudy, rules: ReadingRules, *, name: str) -> ReadStudy:
    """Read one case.

    Args:
        source: From `find_studies`.
        rules: Channels by the names in `modality`, structures by those in `labels`.
        name: What to call the case in messages.

    Returns:
        The channels and the mask.

    Raises:
        InputError: `broken_dataset_json`, `missing_channel`, `unknown_label`, `no_matching_outline`, `geometry_mismatch`, and
            all reasons of image files.
    """
    image, label, declaration = map(Path, source.files)
    try:
        content = parse_json(declaration)
        names = {str(channel): str(int(number)) for number, channel in content["modality"].items()}
        declared = {str(structure): (int(value),) for value, structure in content["labels"].items() if int(value)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        blame_machine(error)
        message = f"Expected modality and labels in {DECLARATION} of {name}, found: {error!s:.150}. Mend it."
        raise InputError(message, reason="broken_dataset_json") from error
    held = image_files.read_channels(image, name=name)
    if len(held) != len(names):
        message = f"Expected the {len(names)} channels of {DECLARATION} in {name}, found {len(held)}. Mend one of them."
        raise InputError(message, reason="missing_channel")
    chosen = choose_channels(rules, names, name=name)
    volumes = {channel: held[names[called] if len(held) > 1 else ""] for channel, called in chosen.items()}
    mask = image_files.read_mask(label, range(256), name=name)
    reference = volumes[rules.reference].geometry
    require_same_grid(reference, mask.geometry, f"Image and mask of {name}")
    return ReadStudy(volumes, translate(Mask(mask.labels, reference), declared, rules, name=name))


def _listed(folder: Path) -> list[tuple[str, str]]:
    try:
        content: Any = parse_json(folder / DECLARATION)
        listed = [(str(item["image"]), str(item["label"])) for item in content["training"] if "modality" in content]
        # A path out of the folder is none of the data set's files.
        return [pair for pair in listed if not any(Path(p).is_absolute() or ".." in Path(p).parts for p in pair)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        blame_machine(error)
        return []
