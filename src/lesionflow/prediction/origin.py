"""What a mask's own header says of its origin: enough to find the model where its report was not kept."""

import re
from pathlib import Path
from typing import NamedTuple

from lesionflow.errors import InputError
from lesionflow.prediction import MAKER, SHOWN_DIGEST


class Origin(NamedTuple):
    """The model that made a mask: of its bundle's digest the beginning, and what it was called, empty where that is not told."""

    bundle_digest: str
    model_name: str = ""
    model_version: str = ""


def read_origin(mask: Path) -> Origin | None:
    """Return what a DICOM SEG's or NIfTI file's header says, None where it is none of ours.

    Args:
        mask: The file.
    """
    from lesionflow.io.dicom.reading import is_dicom

    return _of_seg(mask) if is_dicom(mask) else _of_nifti(mask)


def _of_seg(mask: Path) -> Origin | None:
    from lesionflow.io.dicom.reading import read_dicom_file
    from lesionflow.io.dicom.seg import read_version

    try:
        words = read_version(read_dicom_file(str(mask), name="the mask")).rsplit(" ", 2)
    except InputError:
        return None
    return Origin(words[2], words[0], words[1]) if len(words) == 3 else None


def _of_nifti(mask: Path) -> Origin | None:
    from lesionflow.io.images.nifti_texts import read_description

    # Of a picture, whose spacing is unknown, the header says that first.
    found = re.search(rf"{MAKER} ([0-9a-f]{{{SHOWN_DIGEST}}})$", read_description(mask))
    return Origin(found[1]) if found else None
