"""Which layout a folder has, and what reads it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from lesionflow.errors import ConfigError, InputError
from lesionflow.io.dicom import studies as dicom
from lesionflow.io.files import find_files
from lesionflow.io.layouts import brats, decathlon, image_folders, mask_series, nnunet
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy


class ReadOne(Protocol):
    """Reads one study."""

    def __call__(self, source: SourceStudy, rules: ReadingRules, *, name: str) -> ReadStudy:
        """Read a study found in this layout."""


class Reader(NamedTuple):
    """A layout: is it here, which studies does it hold, read one; `rooted` layouts begin at the file that declares them.

    What is said of it in the docs: `recognized_by`, and by what its channels and the values of its masks are told.
    """

    detect: Callable[[Path], bool]
    find: Callable[[Path], Iterator[SourceStudy]]
    read: ReadOne
    recognized_by: str
    channels_by: str
    values_by: str
    rooted: bool = False


#: Layouts, most particular first: the first that is detected is taken.
READERS: Mapping[str, Reader] = {
    "decathlon": Reader(
        decathlon.detect,
        decathlon.find_studies,
        decathlon.read_study,
        recognized_by="`dataset.json` that lists images which lie there",
        channels_by="`modality` in it; the fourth axis is the channel",
        values_by="`labels` in it, by name",
        rooted=True,
    ),
    "nnunet": Reader(
        nnunet.detect,
        nnunet.find_studies,
        nnunet.read_study,
        recognized_by="`dataset.json` and `imagesTr/`, or its list `dataset` (version 1 or 2; NIfTI, NRRD, MHA or gray pictures)",
        channels_by="`channel_names`",
        values_by="`labels`, by name",
        rooted=True,
    ),
    "mask_series": Reader(
        mask_series.detect,
        mask_series.find_studies,
        mask_series.read_study,
        recognized_by="`PATIENT_DICOM` and `MASKS_DICOM/<structure>` (3D-IRCADb)",
        channels_by="one channel",
        values_by="the names of the folders, by `ingest.outlines`",
    ),
    "dicom": Reader(
        dicom.detect,
        dicom.find_studies,
        dicom.read_study,
        recognized_by="a DICOM file anywhere, whatever its name",
        channels_by="`modality` and, where that is not enough, `series_description`, `body_part`, "
        "`reconstruction_kernel` of `ingest.channels`",
        values_by="ROI and segment names, by `ingest.outlines`",
    ),
    "brats": Reader(
        brats.detect,
        brats.find_studies,
        brats.read_study,
        recognized_by="BraTS names of 2013 to 2024",
        channels_by="the word at the end of the name",
        values_by="the year's values, as `necrotic_core`, `edema`, `non_enhancing_tumor`, `enhancing_tumor`, "
        "`resection_cavity`",
    ),
    "volumes": Reader(
        image_folders.detect_volumes,
        image_folders.find_volumes,
        image_folders.read_study,
        recognized_by="NIfTI, NRRD, MHA or MHD files",
        channels_by="a word in the name: `_CT`, `_PET`, `_T1ce`, ... or none for one channel",
        values_by="`ingest.labels`; several masks: their names, by `ingest.outlines`",
    ),
    "pictures": Reader(
        image_folders.detect_pictures,
        image_folders.find_pictures,
        image_folders.read_study,
        recognized_by="PNG, JPEG, TIFF, BMP or GIF files",
        channels_by="`gray`, or `red`, `green`, `blue`",
        values_by="white or any one color is the only label; gray values are `ingest.labels`",
    ),
}


class Layout(NamedTuple):
    """What was recognized: the reader's name, the folder that it reads, and how many files of each ending lie there."""

    name: str
    folder: Path
    endings: Mapping[str, int]


def recognize(folder: Path, wanted: str = "auto") -> Layout:
    """Recognize a folder's layout; one that a file declares also below folders that hold nothing but one other.

    Args:
        folder: What the user has.
        wanted: A key of `READERS` to take whatever is seen, or `auto`.

    Returns:
        The layout.

    Raises:
        InputError: `empty_folder`, `unknown_layout` or `another_layout`, with what was seen.
        ConfigError: When there is no such layout.
    """
    if wanted != "auto" and wanted not in READERS:
        raise ConfigError(f"Expected ingest.layout to be auto or one of {', '.join(READERS)}, found {wanted!r}.")
    files = find_files(folder)
    if not files:
        raise InputError(
            f"Expected studies in {folder.name}, found no file. Point --data or data/raw at them.",
            reason="empty_folder",
        )
    endings = Counter(path.suffix.lower() or "(no ending)" for path in files)
    readers = {wanted: READERS[wanted]} if wanted != "auto" else READERS
    for name, reader in readers.items():
        for inner in _wrapped(folder) if reader.rooted else (folder,):
            if reader.detect(inner):
                return Layout(name, inner, endings)
    if endings[".hdr"] and endings[".img"]:
        raise InputError(
            f"Expected each image in one file in {folder.name}, found {endings['.img']} pairs of `.hdr` and `.img` (NIfTI pairs, or "
            "Analyze 7.5, which does not say which side is left). Convert each NIfTI pair to one `.nii.gz`.",
            reason="unknown_layout" if wanted == "auto" else "another_layout",
        )
    shown = ", ".join(f"{n} {ending}" for ending, n in endings.most_common(8))
    layouts = wanted if wanted != "auto" else ", ".join(READERS)
    raise InputError(
        f"Expected studies of the layout {layouts} in {folder.name}, found {len(files)} files: {shown}. Convert them to one "
        "of these.",
        reason="unknown_layout" if wanted == "auto" else "another_layout",
    )


def _wrapped(folder: Path) -> Iterator[Path]:
    """Yield the folder, and what it holds as long as that is one folder and nothing else."""
    while True:
        yield folder
        inner = [path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "__MACOSX"]
        if len(inner) != 1 or not inner[0].is_dir():
            return
        folder = inner[0]
