"""BraTS 2013 to 2024 by its file names: the year tells what the label values mean. BraTS-MEN-RT has one image and one outline."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from lesionflow.errors import InputError
from lesionflow.io.files import find_files
from lesionflow.io.images import image_files
from lesionflow.io.images.mask_on_image import read_mask_on
from lesionflow.io.labels import translate
from lesionflow.io.layouts.image_folders import read_wanted_channels
from lesionflow.io.layouts.modalities import canonical, choose_channels
from lesionflow.io.layouts.patient_in_name import patient_of
from lesionflow.io.notes import note
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy

#: `BraTS2021_00006_t1ce`, `BraTS-GLI-00002-000-t2f`, `VSD.Brain.XX.O.MR_Flair.54512`, `T1c_subtrMeanDivStd`, `OTMultiClass`.
FILE = re.compile(
    r"^(?P<case>.*?)(?:^|[_\-.])(?P<what>t1n|t1ce|t1gd|t1c|t1|t2f|t2w|t2|flair|seg|gtv|ot|otmulticlass)(?:_subtrmeandivstd|\.\d+)?$",
    re.IGNORECASE,
)
NAME = re.compile(r"^(brats|vsd\.brain)", re.IGNORECASE)
OWN_FOLDER = re.compile(r"^VSD\.Brain", re.IGNORECASE)
MASKS = ("seg", "gtv", "ot", "otmulticlass")
#: What each value is, by the years that share a way to outline.
STRUCTURES = {
    "2013-2015": {"necrotic_core": (1,), "edema": (2,), "non_enhancing_tumor": (3,), "enhancing_tumor": (4,)},
    "2017-2021": {"necrotic_core": (1,), "edema": (2,), "enhancing_tumor": (4,)},
    "2023-2024": {"necrotic_core": (1,), "edema": (2,), "enhancing_tumor": (3,), "resection_cavity": (4,)},
}
#: BraTS-MEN-RT (2024): the gross tumor volume of a meningioma, on one image.
GTV = "gtv"
#: Children: outlined as all others in 2023, and with the enhancing tumor as 1 and the edema as 4 from 2024 on, under one name.
CHILDREN = re.compile(r"^BraTS-PED-", re.IGNORECASE)
#: Where tumor was: never one of the labels of tumor by another name.
NO_TUMOR = ("resection_cavity",)


def detect(folder: Path) -> bool:
    """Tell whether a folder holds files that BraTS names so."""
    return bool(_cases(folder))


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield one study an examination; those of one patient share it."""
    cases = _cases(folder)
    n_left = sum(image_files.ending(path) in image_files.VOLUME_ENDINGS for path in find_files(folder))
    n_left -= sum(map(len, cases.values()))
    if n_left:
        note("extra_images", f"Left out {n_left} volumes whose names end as no image or mask of BraTS does.")
    for key, files in sorted(cases.items()):
        paths = tuple(str(path) for _, path in files)
        yield SourceStudy(key, patient_of(key), paths, found=files, roles=tuple(what for what, _ in files))


def read_study(source: SourceStudy, rules: ReadingRules, *, name: str) -> ReadStudy:
    """Read one examination.

    Args:
        source: From `find_studies`.
        rules: Channels by name (`T1`, `T1CE`, `T2`, `FLAIR`); structures by the names in `STRUCTURES`.
        name: What to call the case in messages.

    Returns:
        The channels and the mask.

    Raises:
        InputError: `missing_channel`, `no_outline`, `ambiguous_outlines`, `ambiguous_image`, `ambiguous_values`, `unknown_label` for a value that
            the year does not know, `geometry_mismatch`, and all reasons of image files.
    """
    images: dict[str, Path] = {}
    masks = [path for what, path in source.found if what in MASKS]
    for what, path in source.found:
        if what not in MASKS and images.setdefault(canonical(what), path) != path:
            message = f"Expected one {canonical(what)} image in {name}, found several. Remove what is not meant."
            raise InputError(message, reason="ambiguous_image")
    if CHILDREN.match(source.key):
        raise InputError(
            f"Expected a BraTS year whose values are known in {name}, found one of children's tumors: 2023 and 2024 number them "
            "differently under one name. Give them in nnU-Net's layout, whose dataset.json says what each value is.",
            reason="ambiguous_values",
        )
    if len(masks) != 1:
        raise InputError(
            f"Expected one mask in {name}, found {len(masks)}. Keep the one to learn from; leave unoutlined cases out.",
            reason="ambiguous_outlines" if masks else "no_outline",
        )
    volumes = read_wanted_channels(images, rules, name=name)
    drawn_on = images[choose_channels(rules, images, name=name)[rules.reference]]
    mask = read_mask_on(masks[0], volumes[rules.reference].geometry, range(256), image=drawn_on, name=name)
    words = {what for what, _ in source.found}
    structures = _target_volume(rules) if GTV in words else STRUCTURES[_year(words)]
    return ReadStudy(volumes, translate(mask, structures, rules, name=name, apart=NO_TUMOR))


def _cases(folder: Path) -> dict[str, list[tuple[str, Path]]]:
    """Return (what it is, file) by case name."""
    cases: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for path in find_files(folder):
        if image_files.ending(path) not in image_files.VOLUME_ENDINGS:
            continue
        match = FILE.match(image_files.stem(path))
        parents = [part for part in path.relative_to(folder).parts[:-1] if not OWN_FOLDER.match(part)]
        home = parents[-1] if parents else folder.name
        if match and (NAME.match(match["case"]) or NAME.match(home)):
            named = NAME.match(match["case"]) and not OWN_FOLDER.match(match["case"])
            cases[match["case"] if named else home].append((match["what"].lower(), path))
    return dict(cases)


def _target_volume(rules: ReadingRules) -> dict[str, tuple[int, ...]]:
    """Return what 1 is where a target volume alone is outlined: by a rule for `gtv`, or the only label, unless it is a part of a tumor."""
    parts = {structure for of in STRUCTURES.values() for structure in of}
    if rules.named(GTV) is None and len(rules.labels) == 1 and not any(map(rules.named, parts)):
        return {next(iter(rules.labels)): (1,)}
    return {GTV: (1,)}


def _year(words: set[str]) -> str:
    if words & {"t1n", "t2w", "t2f"}:
        return "2023-2024"
    return "2013-2015" if words & {"ot", "otmulticlass"} else "2017-2021"
