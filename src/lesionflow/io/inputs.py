"""A study to predict on: the one way in, for the command line and for the service."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lesionflow.data.dataset import Dataset
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.io import archives
from lesionflow.io.dicom.reading import is_dicom, may_be_dicom
from lesionflow.io.dicom.studies import read_study
from lesionflow.io.files import find_files, sha256_file
from lesionflow.io.images import image_files
from lesionflow.io.images.plausibility import check_values
from lesionflow.io.layouts.image_folders import read_wanted_channels
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules, SeriesRule, SourceStudy

#: The DICOM modality of each kind of channel.
MODALITIES = {"ct": "CT", "pet": "PT", "mr": "MR", "picture": "OT"}


@dataclass(frozen=True, eq=False)
class StudyInput:
    """A study as a client gave it.

    Args:
        case_id: A name made of its content, `s-<hash>`.
        volumes: One volume of one channel by channel name, each on its own grid.
        reference_files: DICOM files of the first channel's series, in slice order; empty for other formats.
        sha256: Hash over the content of all files.
        warnings: What readers said of it: see `notes`.
    """

    case_id: str
    volumes: dict[str, Volume]
    reference_files: tuple[str, ...]
    sha256: str
    warnings: tuple[str, ...] = ()


@contextmanager
def unpacked(source: Path | Mapping[str, Path]) -> Iterator[Path | Mapping[str, Path]]:
    """Give what `read_input` reads: of a zip, the folder it was unpacked into, which is gone on leaving; else the source itself.

    Args:
        source: What `read_input` reads, or a zip with one DICOM study.

    Yields:
        The folder, or `source`. A mask that refers to a study's files is written before leaving.

    Raises:
        InputError: As `archives.unpack`.
    """
    if not isinstance(source, Path) or not _is_zip(source):
        yield source
        return
    with TemporaryDirectory(prefix="lesionflow-") as scratch:
        folder = Path(scratch)
        allowed = archives.allowed(source)
        archives.unpack(source, folder, max_bytes=allowed.n_bytes, max_files=allowed.n_files)
        yield folder


def read_input(source: Path | Mapping[str, Path], dataset: Dataset) -> StudyInput:
    """Read a study for a model of this dataset.

    Args:
        source: A folder with one DICOM study, one image file that holds all channels (a volume of one, a picture of colors),
            or an image file by channel: NIfTI, NRRD, MHA, or a picture.
        dataset: The model's channels.

    Returns:
        The study.

    Raises:
        InputError: `missing_file`, `missing_channel`, `unknown_channel`, `empty_folder`, `unknown_layout`, and all reasons of the readers.
    """
    with collected() as notes:
        study = _read(source, dataset)
    return replace(study, warnings=tuple(note.message for note in notes))


def _read(source: Path | Mapping[str, Path], dataset: Dataset) -> StudyInput:
    if isinstance(source, Path):
        if source.is_dir():
            return _read_folder(source, dataset)
        if _is_zip(source):
            raise InputError("Expected a folder or image file, found a zip. Unpack it first.", reason="unknown_layout")
        if source.is_file() and is_dicom(source):
            return _read_folder(source.parent, dataset)
        _require_files({"the study": source})
        name = f"s-{_digest([source])[:10]}"
        kinds = {name: SeriesRule(MODALITIES[kind]) for name, kind in dataset.channels.items()}
        rules = ReadingRules(kinds, next(iter(dataset.channels)))
        return StudyInput(name, read_wanted_channels({"": source}, rules, name=name), (), _digest([source]))
    return _read_by_channel(source, dataset)


def _is_zip(path: Path) -> bool:
    return path.is_file() and (path.suffix.lower() == ".zip" or archives.is_zip(path))


def _read_by_channel(files: Mapping[str, Path], dataset: Dataset) -> StudyInput:
    unknown = [name for name in files if name not in dataset.channels]
    if unknown:
        raise InputError(
            f"Expected parts named by the channels {', '.join(dataset.channels)}, found {', '.join(unknown)}.",
            reason="unknown_channel",
        )
    missing = [name for name in dataset.channels if name not in files]
    if missing:
        raise InputError(
            f"Expected a file for each channel, found none for {', '.join(missing)}.", reason="missing_channel"
        )
    _require_files(files)
    digest = _digest(list(files.values()))
    name = f"s-{digest[:10]}"
    volumes = {}
    for channel, kind in dataset.channels.items():
        image_files.require_unit(files[channel], MODALITIES[kind], name=name)
        volumes[channel] = image_files.read_volume(files[channel], name=name)
        check_values(volumes[channel], MODALITIES[kind], name=name)
    return StudyInput(name, volumes, (), digest)


def _require_files(files: Mapping[str, Path]) -> None:
    absent = [name for name, path in files.items() if not path.is_file()]
    if absent:
        raise InputError(
            f"Expected a file for {', '.join(absent)}, found none at {files[absent[0]]}. Check the path.",
            reason="missing_file",
        )


def _read_folder(folder: Path, dataset: Dataset) -> StudyInput:
    files = find_files(folder)
    if not any(map(is_dicom, files)):
        reason = "unknown_layout" if files else "empty_folder"
        raise InputError(f"Expected the DICOM files of one study, found none among {len(files)} files.", reason=reason)
    files = [path for path in files if may_be_dicom(path)]
    digest = _digest(files)
    name = f"s-{digest[:10]}"
    rules = ReadingRules(
        channels={channel: _series_rule(dataset, channel) for channel in dataset.channels},
        reference=next(iter(dataset.channels)),
    )
    study = read_study(SourceStudy(name, "", tuple(map(str, files))), rules, name=name, outlines=False)
    return StudyInput(name, study.volumes, study.reference_files, digest)


def _series_rule(dataset: Dataset, channel: str) -> SeriesRule:
    """Return the rule that the model was trained by; without one, channels of one kind are told apart by their names."""
    kind = dataset.channels[channel]
    texts = (dataset.series_descriptions, dataset.body_parts, dataset.reconstruction_kernels)
    rule = SeriesRule(MODALITIES[kind], *(told.get(channel, "") for told in texts))
    if rule == SeriesRule(MODALITIES[kind]) and list(dataset.channels.values()).count(kind) > 1:
        return SeriesRule(MODALITIES[kind], rf"(?<![A-Za-z0-9]){re.escape(channel)}(?![A-Za-z0-9])")
    return rule


def _digest(paths: list[Path]) -> str:
    """Hash contents alone, in an order that names and folders do not change."""
    return hashlib.sha256("".join(sorted(sha256_file(path) for path in paths)).encode()).hexdigest()
