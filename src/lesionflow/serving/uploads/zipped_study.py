"""A zip of a study, unpacked into one flat folder within the service's limits."""

from pathlib import Path

from lesionflow.errors import InputError
from lesionflow.io import archives
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.settings import BYTES_PER_MB

#: Refusals that say that a request is too large.
TOO_LARGE = ("unpacked_too_large", "too_many_files")


def unpack_upload(archive: Path, folder: Path, *, max_mb: int, max_files: int) -> list[Path]:
    """Write the files of a zip into one flat folder.

    Args:
        archive: The zip.
        folder: An empty folder.
        max_mb: Largest sum of the unpacked files, counted while they are written, whatever the zip claims.
        max_files: Most files.

    Returns:
        The files, named `<number>-<harmless rest of the own name>`, in the zip's order.

    Raises:
        InputError: As `io.archives.unpack`, what is too large apart.
        RequestRefusedError: 413 `unpacked_too_large` or `too_many_files`.
    """
    try:
        allowed = min(max_mb * BYTES_PER_MB, archives.allowed(archive).n_bytes)
        return archives.unpack(archive, folder, max_bytes=allowed, max_files=max_files, place=_flat)
    except InputError as error:
        if error.reason not in TOO_LARGE:
            raise
        raise RequestRefusedError(f"{error} Send one study alone.", status=413, code=error.reason) from error


def _flat(number: int, name: str) -> str:
    return f"{number:06d}-{archives.harmless(name)}"
