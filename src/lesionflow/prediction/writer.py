"""What an output format is. Each is a module of `writers`; this one imports nothing heavy, as the command line reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lesionflow.prediction.study import Prediction


@dataclass(frozen=True)
class Writer:
    """One output format, for the command line, the service, the documentation and the tests alike.

    Args:
        name: What `--format` and `?format=` take.
        summary: What a file of it holds, in a line of help and of the documentation's table.
        media_type: What HTTP calls it.
        accepted: What `Accept` may name to get it, its media type first; empty when another format has that media type, so that
            `?format=` alone chooses this one.
        file_name: Its name among the files of one result.
        write: Writes it, whole or not at all. Heavy libraries are imported in here.
        more_suffixes: What else names of its files may end with, beside the suffix of `file_name`.
        is_picture: Whether it is to be looked at.
        holds_voxels: Whether every voxel of the mask can be read from it again: false of a picture and of figures.
        needs_dicom: Whether it refers to the DICOM images that were segmented.
    """

    name: str
    summary: str
    media_type: str
    accepted: tuple[str, ...]
    file_name: str
    write: Callable[[Path, "Prediction"], None]
    more_suffixes: tuple[str, ...] = ()
    is_picture: bool = False
    holds_voxels: bool = True
    needs_dicom: bool = False

    @property
    def suffix(self) -> str:
        """What names of its files end with: `.nii.gz` of `mask.nii.gz`."""
        return "".join(Path(self.file_name).suffixes)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """All that names of its files may end with, the usual one first."""
        return (self.suffix, *self.more_suffixes)
