"""What a reader must know: which series is which channel, which outline which label."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lesionflow.data.dataset import BACKGROUND, IGNORE
from lesionflow.data.volume import IGNORED, Mask, Volume
from lesionflow.io import spelling
from lesionflow.io.notes import Note

#: What stands for a case id in a fault that was found before the case had one.
CASE = "@"


@dataclass(frozen=True)
class SeriesRule:
    """A series by its DICOM modality and regular expressions searched, ignoring case, in what it says of itself; "" fits any."""

    modality: str
    description: str = ""
    body_part: str = ""
    kernel: str = ""

    def fits(self, modality: str, description: str, body_part: str = "", kernel: str = "") -> bool:
        """Tell whether a series is meant."""
        told = ((self.description, description), (self.body_part, body_part), (self.kernel, kernel))
        return modality == self.modality and all(re.search(wanted, said, re.IGNORECASE) for wanted, said in told)

    def __str__(self) -> str:
        """Say what is wanted."""
        told = (("description", self.description), ("body part", self.body_part), ("kernel", self.kernel))
        return ", ".join([f"modality {self.modality}", *(f"{name} {wanted!r}" for name, wanted in told if wanted)])


@dataclass(frozen=True)
class ReadingRules:
    """How a study becomes a case.

    Args:
        channels: A rule for each channel, in order.
        reference: The channel whose grid is kept.
        labels: Label values by name.
        outlines: (regular expression that must match a whole structure name, label name), first match wins; the label
            may be `background` (not wanted) or `ignore` (voxels that nobody learns from or is judged by).
        regions: Labels that each region unites, by name.
        spacing_tolerance_fraction: How far a slice may lie beside its place on the even grid, in slice distances.
    """

    channels: Mapping[str, SeriesRule]
    reference: str
    labels: Mapping[str, int] = field(default_factory=dict)
    outlines: tuple[tuple[str, str], ...] = ()
    spacing_tolerance_fraction: float = 0.01
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def label_of(self, structure: str) -> int | None:
        """Return the label of a structure by the first rule that fits one of its spellings; None when it is not wanted."""
        label = None if spelling.is_background(structure) else self._ruled(structure)
        return IGNORED if label == IGNORE and IGNORE not in self.labels else self.labels.get(label or "")

    def named(self, structure: str) -> int | None:
        """Return the label of a structure that is called as the label is, else by `label_of`."""
        if structure in self.labels:
            return self.labels[structure]
        alike = [label for called, label in self.labels.items() if spelling.key(called) == spelling.key(structure)]
        return alike[0] if len(alike) == 1 and spelling.key(structure) else self.label_of(structure)

    def called(self, value: int) -> str:
        """Return the name of a label."""
        return next((name for name, label in self.labels.items() if label == value), IGNORE)

    def is_unwanted(self, structure: str) -> bool:
        """Tell whether somebody said that a structure is background: its name, or a rule with the label `background`."""
        return spelling.is_background(structure) or self._ruled(structure) == BACKGROUND

    def _ruled(self, structure: str) -> str | None:
        for any_case in (False, True):
            for pattern, label in self.outlines:
                if spelling.fits(pattern, structure, any_case=any_case):
                    return label
        return None


@dataclass(frozen=True, eq=False)
class SourceStudy:
    """A study found in a folder, not yet read.

    Args:
        key: What names it for ever: the Study Instance UID or the file's case name. Never written as it is.
        patient_key: What names its patient. Never written as it is.
        files: All its files.
        fault: A refusal that was found while looking, as (reason, message).
        found: What the reader saw while looking, so that it need not look twice.
        roles: What each file's name says of it, where that and not its content alone decides how it is read.
        pseudonyms: Of case and patient, where the files were de-identified by `lesionflow data add` and say them.
        notes: What was said of it while looking; `CASE` stands for its id.
    """

    key: str
    patient_key: str
    files: tuple[str, ...]
    fault: tuple[str, str] | None = None
    found: Any = None
    roles: tuple[str, ...] = ()
    pseudonyms: tuple[str, str] | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, eq=False)
class ReadStudy:
    """A study as read: each channel on its own grid, the mask on the reference channel's.

    Args:
        volumes: One volume of one channel by channel name.
        mask: Outlines as labels; None when the study has none.
        reference_files: DICOM files of the reference series, in slice order; empty for other formats.
        attributes: `manufacturer`, `sex` and `age_years`, which identify nobody, and `institution`, which is never written as it is.
    """

    volumes: dict[str, Volume]
    mask: Mask | None
    reference_files: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


def place(parts: Iterable[str]) -> str:
    """Name a case by the folders it lies in: the same whether they are zipped, or zipped into a folder of the same name."""
    names: list[str] = []
    for part in parts:
        name = part[: -len(".zip")] if part.lower().endswith(".zip") else part
        if names[-1:] != [name]:
            names.append(name)
    return "/".join(names)
