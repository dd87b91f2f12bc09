"""A study as it is sent: a folder or several files as one zip, a zip as it is, or an image file a channel. What is in the files is read by nobody here."""

import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from lesionflow.errors import InputError

#: What may be handed in.
StudyFiles = Path | Sequence[Path] | Mapping[str, Path]
Parts = list[tuple[str, tuple[str, IO[bytes]]]]
#: A zip of more is on disk, not in memory.
IN_MEMORY_BYTES = 16 << 20


@contextmanager
def opened_parts(study: StudyFiles) -> Iterator[Parts]:
    """Open a study as parts of a form; names of patients that stand in names of files are not sent.

    Args:
        study: A folder of DICOM; a zip of one, or a file of it; its files; or an image file (NIfTI, NRRD, ...) for each channel.

    Yields:
        Name of each part, a file name, and the open file.

    Raises:
        InputError: `empty_study` when there is no file.
    """
    with ExitStack() as stack:
        if isinstance(study, Mapping):
            channels = [(name, path, "".join(path.suffixes[-2:])) for name, path in sorted(study.items())]
            yield [(name, (f"{name}{ending}", stack.enter_context(path.open("rb")))) for name, path, ending in channels]
        elif isinstance(study, Path) and study.is_file() and zipfile.is_zipfile(study):
            yield [("study", ("study.zip", stack.enter_context(study.open("rb"))))]
        else:
            yield [("study", ("study.zip", stack.enter_context(_zipped(_files_of(study)))))]


def _files_of(study: Path | Sequence[Path]) -> list[Path]:
    if not isinstance(study, Path):
        files = list(study)
    else:
        files = sorted(path for path in study.rglob("*") if path.is_file()) if study.is_dir() else [study]
    if not files or not all(path.is_file() for path in files):
        raise InputError(
            "Expected a study's folder, zip or files, found a file that is missing, or none.", reason="empty_study"
        )
    return files


def _zipped(files: Sequence[Path]) -> IO[bytes]:
    made = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed by whoever sends it
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, path in enumerate(files):
            archive.write(path, f"{number:06d}")
    made.seek(0)
    return made
