"""What is said of one structure while its contours are read: refusals by name at once, notes at the end."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NoReturn

from lesionflow.errors import DicomError
from lesionflow.io.notes import note

#: What each count means, by the code of its note. {n} is the count.
SENTENCES = {
    "dropped_contours": "{n} contours that enclose nothing (points, open lines, fewer than three corners) were left out",
    "repeated_contours": "{n} contours are copies of another, whatever their first corner or sense: each counts once",
    "crossing_contours": "{n} contours cross another: they are united",
    "self_crossing_contours": "{n} pixels are run round twice by one contour: by the even-odd rule they are outside",
    "contours_between_slices": (
        "{n} contour planes lie off the slices, by more than a quarter of their distance or more closely than they: each "
        "slice takes the nearest plane within half their distance"
    ),
    "contour_gaps_filled": (
        "{n} slices between contours have none of their own: they are filled by interpolating the shapes below and above"
    ),
    "contour_gaps_left": (
        "{n} slices between contours that lie one above the other have none: the gap is longer than the contours are "
        "apart elsewhere, so the parts were left apart"
    ),
    "contours_clipped": "{n} per mille of what is outlined lie beyond the images and were cut off",
    "point_counts_differ": "{n} contours hold another number of points than they say: all that are there were taken",
}


@dataclass
class Account:
    """What is said of one structure.

    Args:
        case: What to call the study in messages.
        structure: Its name.
        counts: How often what was met, by the code of its note.
        spared_pairs: Pairs of contours that its planes were allowed and did not compare, by kind (`cost`).
        work: What geometry took so far, by its kind (`cost.ALLOWED`); structures of one set have one.
    """

    case: str
    structure: str
    counts: Counter[str] = field(default_factory=Counter)
    spared_pairs: Counter[str] = field(default_factory=Counter)
    work: Counter[str] = field(default_factory=Counter)

    def refuse(self, reason: str, expected: str, found: str, advice: str) -> NoReturn:
        """Refuse the structure.

        Raises:
            DicomError: Always, of that reason.
        """
        raise DicomError(
            f"Expected {expected} in structure {self.structure} of {self.case}, found {found}. {advice}", reason=reason
        )

    def tell(self) -> None:
        """Note what was counted."""
        for code, n in sorted(self.counts.items()):
            if n:
                note(code, f"In structure {self.structure} of {self.case}, {SENTENCES[code].format(n=n)}.")
