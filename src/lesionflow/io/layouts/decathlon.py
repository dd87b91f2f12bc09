"""The Medical Segmentation Decathlon's layout: `dataset.json` lists images of three or four axes and their labels."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from lesionflow.errors import InputError
from lesionflow.io.declarations import read_declaration
from lesionflow.io.files import parse_json
from lesionflow.io.images import image_files
from lesionflow.io.images.mask_on_image import read_mask_on
from lesionflow.io.images.plausibility import check_values
from lesionflow.io.labels import translate
from lesionflow.io.layouts.left_out import say_count, say_shared, say_test_files
from lesionflow.io.layouts.modalities import choose_channels
from lesionflow.io.layouts.nnunet_listing import DECLARATION, read_content
from lesionflow.io.layouts.patient_in_name import patient_of
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy, place
from lesionflow.machine.faults import blame_machine


def detect(folder: Path) -> bool:
    """Tell whether `dataset.json` lists images that lie there under the names it gives (nnU-Net's older form has others)."""
    listed = _listed(folder)
    return bool(listed) and any((folder / image).is_file() for image, _ in listed)


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield one study a listed image; what is listed and absent carries its fault."""
    listed = _listed(folder)
    say_count(read_content(folder).get("numTraining"), len(listed))
    say_shared(str(PurePosixPath(path)) for paths in listed for path in paths)
    say_test_files(folder)
    stems = Counter(image_files.stem(Path(image)) for image, _ in listed)
    for image, label in listed:
        key = image_files.stem(Path(image))
        if stems[key] > 1:
            # Files of one name in folders of patients: the folders tell them apart.
            key = place([*(part for part in Path(image).parts[:-1] if part != "."), key])
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
        InputError: `broken_dataset_json`, `missing_channel`, `geometry_mismatch`, and all reasons of labels and image files.
    """
    image, label, declaration = map(Path, source.files)
    numbers, declared = read_declaration(declaration, name=name)
    names = {channel: str(number) for channel, number in numbers.items()}
    held = image_files.read_channels(image, name=name)
    if len(held) != len(names):
        message = f"Expected the {len(names)} channels of {DECLARATION} in {name}, found {len(held)}. Mend one of them."
        raise InputError(message, reason="missing_channel")
    chosen = choose_channels(rules, names, name=name)
    volumes = {channel: held[names[called] if len(held) > 1 else ""] for channel, called in chosen.items()}
    for channel, volume in volumes.items():
        check_values(volume, rules.channels[channel].modality, name=name)
    mask = read_mask_on(label, volumes[rules.reference].geometry, range(256), image=image, name=name)
    return ReadStudy(volumes, translate(mask, declared, rules, name=name))


def _listed(folder: Path) -> list[tuple[str, str]]:
    try:
        content: Any = parse_json(folder / DECLARATION)
        listed = [(str(item["image"]), str(item["label"])) for item in content["training"] if "modality" in content]
        # A path out of the folder is none of the data set's files.
        return [pair for pair in listed if not any(Path(p).is_absolute() or ".." in Path(p).parts for p in pair)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        blame_machine(error)
        return []
