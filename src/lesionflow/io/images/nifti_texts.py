"""Texts in a NIfTI file beside its voxels: the header's description, and a comment in an extension (ecode 6)."""

from pathlib import Path
from typing import Any

import nibabel as nib
from nibabel.nifti1 import Nifti1Extension

from lesionflow.io.images.packing.crowded import require_few_extensions
from lesionflow.machine.faults import blame_machine

#: NIfTI-1's code of plain ASCII text.
COMMENT_CODE = 6


def add_comment(image: Any, text: str) -> None:
    """Put a text into an image's header as an extension; it keeps viewers from nothing, and nibabel keeps it."""
    image.header.extensions.append(Nifti1Extension(COMMENT_CODE, text.encode("ascii")))


def read_comments(path: Path) -> tuple[str, ...]:
    """Return all comments of a NIfTI file, none where it is no NIfTI file.

    Args:
        path: A `.nii` or `.nii.gz` file.
    """
    from lesionflow.io.images.nifti import READ_FAULTS

    try:
        require_few_extensions(path)
        image: Any = nib.load(path)
        found = [e for e in getattr(image.header, "extensions", ()) if e.get_code() == COMMENT_CODE]
        return tuple(_text(extension) for extension in found)
    except READ_FAULTS as error:
        blame_machine(error)
        return ()


def read_extensions(path: Path) -> tuple[str, ...]:
    """Return the texts of all extensions of a NIfTI file, whatever program wrote them; none where it is no NIfTI file.

    Args:
        path: A `.nii` or `.nii.gz` file.
    """
    from lesionflow.io.images.nifti import READ_FAULTS

    try:
        require_few_extensions(path)
        image: Any = nib.load(path)
        return tuple(_text(extension) for extension in getattr(image.header, "extensions", ()))
    except READ_FAULTS as error:
        blame_machine(error)
        return ()


def read_description(path: Path) -> str:
    """Return the text in a NIfTI header's `descrip`; empty where the file is none."""
    from lesionflow.io.images.nifti import READ_FAULTS

    try:
        header: Any = nib.load(path).header
        return str(header["descrip"].item().decode("ascii", "replace")).rstrip("\0")
    except READ_FAULTS:
        return ""


def _text(extension: Any) -> str:
    content = extension.get_content()
    told = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
    return told.rstrip("\0")
