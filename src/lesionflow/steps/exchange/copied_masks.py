"""Masks that nobody's method made: copies of the reference, and one mask under the names of several cases."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from lesionflow.data.volume import Mask
from lesionflow.errors import InputError
from lesionflow.evaluation.scoring import CaseScores

#: Where more than this share of the outlined cases equal the reference voxel by voxel, it is the reference that was given: two readers who draw the same
#: tumor independently, or a method and a reader, agree in every voxel of a tumor of a few voxels at most.
MOST_COPIES = 0.5
MOST_NAMED = 5


class CopiedMasks(NamedTuple):
    """What was found among the masks of a folder.

    Args:
        of_reference: Cases whose mask equals the reference voxel by voxel, all targets; of those whose reference holds anything.
        outlined: How many those are.
        of_one_another: Cases whose masks, none empty, are the same array, group by group.
    """

    of_reference: tuple[str, ...]
    outlined: int
    of_one_another: tuple[tuple[str, ...], ...]

    def sentences(self) -> tuple[str, ...]:
        """Say it; nothing where there is nothing."""
        said = []
        if self.of_reference:
            more = f" and {len(self.of_reference) - MOST_NAMED} more" if len(self.of_reference) > MOST_NAMED else ""
            said.append(
                f"{len(self.of_reference)} of {self.outlined} masks equal the reference voxel by voxel: "
                f"{', '.join(self.of_reference[:MOST_NAMED])}{more}."
            )
        said += [f"One and the same mask was given for the cases {', '.join(group)}." for group in self.of_one_another]
        return tuple(said)

    def require_few(self) -> None:
        """Refuse masks that are the reference.

        Raises:
            InputError: `reference_copied` when more than `MOST_COPIES` of them are.
        """
        if len(self.of_reference) > MOST_COPIES * self.outlined:
            raise InputError(
                f"Expected masks that a method made, found the reference: {self.sentences()[0]} Name the folder of the method's own masks; where they "
                "truly are what is to be scored, say so by --copies allow.",
                reason="reference_copied",
            )


def find_copies(scored: Sequence[CaseScores], fingerprints: Sequence[str]) -> CopiedMasks:
    """Find them.

    Args:
        scored: Of each case.
        fingerprints: Of each case's mask, in the same order.
    """
    of_reference, outlined = [], 0
    by_content: dict[str, list[str]] = {}
    for one, content in zip(scored, fingerprints, strict=True):
        case_id = str(one.rows[0]["case_id"])
        if any(row["reference_ml"] > 0 for row in one.rows):
            outlined += 1
            # A Dice of exactly 1 is that of equal regions alone: 2 n / (n + n).
            if all(row["dice"] == 1.0 for row in one.rows):
                of_reference.append(case_id)
        if content:
            by_content.setdefault(content, []).append(case_id)
    twins = tuple(tuple(group) for group in by_content.values() if len(group) > 1)
    return CopiedMasks(tuple(of_reference), outlined, twins)


def fingerprint(mask: Mask) -> str:
    """Return a sha256 of a mask's array and shape; where it lies does not count. Empty of an empty mask, which many cases may share."""
    return (
        ""
        if not mask.labels.any()
        else hashlib.sha256(str(mask.labels.shape).encode() + mask.labels.tobytes()).hexdigest()
    )
