"""nnU-Net's raw layout: `imagesTr/<case>_0000<ending>`, `labelsTr/<case><ending>`, `dataset.json` (of version 2 or 1).

Where that lists each case's files (`dataset`, version 2), the list is taken and the names of files tell nothing.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from lesionflow.errors import InputError
from lesionflow.io.declarations import read_declaration
from lesionflow.io.images import image_files
from lesionflow.io.images.mask_on_image import read_mask_on
from lesionflow.io.images.plausibility import check_values
from lesionflow.io.labels import translate
from lesionflow.io.layouts.left_out import say_count, say_shared, say_test_files
from lesionflow.io.layouts.modalities import choose_channels
from lesionflow.io.layouts.nnunet_listing import DECLARATION, Listed, listed_cases, read_content
from lesionflow.io.layouts.patient_in_name import patient_of
from lesionflow.io.notes import took
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy

CHANNEL_FILE = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")

LOST = (
    "mask_without_image",
    "Expected an image in imagesTr for each file of labelsTr, found a label file without one. Add `<case>_0000` or remove it.",
)


def detect(folder: Path) -> bool:
    """Tell whether a folder has nnU-Net's raw layout, or a declaration that lists each case's files."""
    if not (folder / DECLARATION).is_file():
        return False
    return (folder / "imagesTr").is_dir() or bool(listed_cases(folder))


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield one study a case; a label whose image is absent is one too, to be named. Patients are told by the cases' names."""
    listed = listed_cases(folder)
    cases = listed or _named_cases(folder)
    say_count(read_content(folder).get("numTraining"), len(cases))
    say_shared(
        str(path) for case in listed.values() for files in (*case.images.values(), case.labels) for path in files
    )
    say_test_files(folder)
    for case, found in sorted(cases.items()):
        paths = (*(path for files in found.images.values() for path in files), *found.labels, folder / DECLARATION)
        roles = tuple(f"{path.parent.name} {image_files.stem(path)[-5:]}" for path in paths)
        if listed:
            roles = (*(f"image {number}" for number in found.images), *("label" for _ in found.labels), "declaration")
        present = tuple(str(path) for path in paths if path.is_file())
        yield SourceStudy(case, patient_of(case), present, found.fault, found, roles=roles)


def _named_cases(folder: Path) -> dict[str, Listed]:
    """Return the cases by the names of files in `imagesTr` and `labelsTr`."""
    images: dict[str, dict[int, tuple[Path, ...]]] = defaultdict(dict)
    for path in sorted((folder / "imagesTr").iterdir()):
        match = CHANNEL_FILE.match(image_files.stem(path))
        if match and image_files.ending(path) and path.is_file():
            number = int(match["channel"])
            images[match["case"]][number] = (*images[match["case"]].get(number, ()), path)
    labels: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((folder / "labelsTr").iterdir()) if (folder / "labelsTr").is_dir() else ():
        if image_files.ending(path) and path.is_file():
            labels[image_files.stem(path)].append(path)
    return {
        case: Listed(images.get(case, {}), tuple(labels.get(case, ())), None if case in images else LOST)
        for case in sorted({*images, *labels})
    }


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
    found: Listed = source.found
    names, declared = read_declaration(Path(source.files[-1]), name=name)
    volumes, drawn_on = {}, {}
    for channel, called in choose_channels(rules, names, name=name).items():
        files = found.images.get(names[called], ())
        if len(files) != 1:
            raise InputError(
                f"Expected one file for channel {channel} of {name}, found {len(files)}.", reason="missing_channel"
            )
        image_files.require_unit(files[0], rules.channels[channel].modality, name=name)
        volumes[channel] = image_files.read_volume(files[0], name=name)
        drawn_on[channel] = files[0]
        took(channel, files[0].name)
        check_values(volumes[channel], rules.channels[channel].modality, name=name)
    masks = found.labels
    if len(masks) != 1:
        raise InputError(
            f"Expected one label file for {name}, found {len(masks)}. Outline it or leave it out.",
            reason="ambiguous_outlines" if masks else "no_outline",
        )
    image_files.require_same_turn((path for files in found.images.values() for path in files), masks, name=name)
    reference = volumes[rules.reference].geometry
    mask = read_mask_on(masks[0], reference, range(256), image=drawn_on.get(rules.reference), name=name)
    return ReadStudy(volumes, translate(mask, declared, rules, name=name))
