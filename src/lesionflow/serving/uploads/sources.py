"""From the parts of a request to what `prediction` reads: a folder of DICOM, or an image file for each channel."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lesionflow.config.names import key_of
from lesionflow.errors import InputError
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part
from lesionflow.serving.uploads.zipped_study import unpack_upload

STUDY = "study"
#: How image files begin that are no plain NIfTI.
MAGICS = (
    (b"\x1f\x8b", ".nii.gz"),
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"BM", ".bmp"),
    (b"GIF87a", ".gif"),
    (b"GIF89a", ".gif"),
    (b"NRRD", ".nrrd"),
    (b"ObjectType", ".mha"),
)
MAGIC_BYTES = 16


def study_source(
    parts: Sequence[Part], folder: Path, channels: Sequence[str], settings: ServiceSettings
) -> Path | Mapping[str, Path]:
    """Decide what was sent, and unpack it.

    Args:
        parts: The request's parts.
        folder: An empty folder to unpack into.
        channels: Names of the model's channels.
        settings: Limits.

    Returns:
        The folder of a DICOM study (parts named `study`: one zip, or its files one by one), or an image file by channel:
        NIfTI, NRRD, MetaImage or a picture.

    Raises:
        InputError: `empty_upload`, `unknown_part`, `mixed_parts`, `duplicate_part`, `missing_channel`, or as `unpack_upload`.
        RequestRefusedError: As `unpack_upload`.
    """
    names = [part.name for part in parts]
    _refuse_unknown(names, channels)
    for part in parts:
        if part.path.stat().st_size == 0:
            raise InputError(f"Expected a file in the part {part.name}, found no byte.", reason="empty_upload")
    if names and set(names) == {STUDY}:
        return _dicom_folder([part.path for part in parts], folder, settings)
    return _by_channel(parts, channels)


def _refuse_unknown(names: Sequence[str], channels: Sequence[str]) -> None:
    # A part's name is of letters, digits and `_.-`; a channel may be called `T1 (Gd)`.
    named = ", ".join(map(key_of, channels))
    expected = f"Expected a part `study` with a zip of DICOM, or one NIfTI part for each of {named}"
    if not names:
        raise InputError(f"{expected}, found no part.", reason="empty_upload")
    unknown = sorted(set(names) - {STUDY, *channels, *map(key_of, channels)})
    if unknown:
        raise InputError(f"{expected}, found {', '.join(unknown):.200}.", reason="unknown_part")
    if STUDY in names and set(names) != {STUDY}:
        raise InputError(f"{expected}, found both. Send one of them.", reason="mixed_parts")


def _dicom_folder(files: Sequence[Path], folder: Path, settings: ServiceSettings) -> Path:
    if len(files) == 1:
        unpack_upload(files[0], folder, max_mb=settings.max_unpacked_mb, max_files=settings.max_files)
        return folder
    for file in files:
        file.rename(folder / f"{file.name}.dcm")
    return folder


def _by_channel(parts: Sequence[Part], channels: Sequence[str]) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    by_key = {key_of(name): name for name in channels}
    for part in parts:
        name = by_key.get(part.name, part.name)
        if name in paths:
            message = f"Expected one file for the channel {part.name}, found two. Send one volume a channel."
            raise InputError(message, reason="duplicate_part")
        paths[name] = _with_suffix(part.path)
    missing = [name for name in channels if name not in paths]
    if missing:
        message = (
            f"Expected a NIfTI part for each of {', '.join(by_key)}, found none for {', '.join(map(key_of, missing))}."
        )
        raise InputError(message, reason="missing_channel")
    return paths


def _with_suffix(path: Path) -> Path:
    """Give a part the ending of what it is, by how it begins: parts have no names that anybody would believe."""
    with path.open("rb") as file:
        start = file.read(MAGIC_BYTES)
    ending = next((ending for magic, ending in MAGICS if start.startswith(magic)), ".nii")
    return path.rename(path.with_name(path.name + ending))
