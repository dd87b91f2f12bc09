"""What changed studies mean for a retraining: for the test set, for what the champion knows, for how a challenger may begin."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import pandas as pd

from lesionflow.config.change_plan import Change
from lesionflow.data.split import Split
from lesionflow.planning.diff import PlanDifference

MAX_NAMED = 8
#: What of a plan each kind of change may change, by how `compare_plans` calls it.
KINDS = (
    ("outputs", Change.TARGETS),
    ("network", Change.ARCHITECTURE),
    ("channels", Change.PREPROCESSING),
    ("spacing of", Change.PREPROCESSING),
    ("intensities of", Change.PREPROCESSING),
    ("denoising", Change.PREPROCESSING),
    ("bias_field_correction", Change.PREPROCESSING),
)


class Meaning(NamedTuple):
    """Sentences for who retrains; cases that the champion learned from and that are gone."""

    sentences: tuple[str, ...]
    unlearned: tuple[str, ...]


def explain_changes(before: pd.DataFrame, now: pd.DataFrame, split: Split | None, learned: Collection[str]) -> Meaning:
    """Say what corrected outlines, new and gone cases mean.

    Args:
        before: Case table that the champion, or the last run, was made from.
        now: Case table of today.
        split: The lock; None where none was drawn yet.
        learned: Cases that the champion learned from, or chose its weights by.
    """
    old, new = before.set_index("case_id"), now.set_index("case_id")
    both = old.index.intersection(new.index)
    same_images = old.loc[both, "image_sha256"] == new.loc[both, "image_sha256"]
    other_outline = old.loc[both, "mask_sha256"] != new.loc[both, "mask_sha256"]
    corrected = sorted(both[same_images & other_outline])
    other_image = sorted(both[~same_images])
    added, gone = sorted(new.index.difference(old.index)), sorted(old.index.difference(new.index))
    tested = set(split.test) if split else set()
    said = []
    if added:
        known = set(old["patient_id"])
        fresh = {name for name in new.loc[added, "patient_id"] if name not in known}
        said.append(
            f"New: {_count(len(added), 'case')} of {_count(len(fresh), 'new patient')}: `split` fills the locked test set up from these alone."
        )
    if corrected:
        in_test = [name for name in corrected if name in tested]
        said.append(f"Outlines of {_count(len(corrected), 'known case')} were corrected ({_some(corrected)}).")
        if in_test:
            are = "is a locked test case" if len(in_test) == 1 else "are locked test cases"
            stay = "it stays" if len(in_test) == 1 else "they stay"
            said.append(
                f"{len(in_test)} of them {are} ({_some(in_test)}): {stay} tested on, the test set has another digest now, and champion "
                "and challenger are both scored anew against the corrected outlines. Figures of before can't be compared with."
            )
    if other_image:
        said.append(
            f"Other images: {_count(len(other_image), 'known case')} ({_some(other_image)}); what each is used for stays."
        )
    unlearned = tuple(name for name in gone if name in set(learned))
    if gone:
        in_test = [name for name in gone if name in tested]
        said.append(f"Gone: {_count(len(gone), 'case')} ({_some(gone)}), {len(in_test)} of them locked for the test.")
    if unlearned:
        said.append(
            f"The champion has learned from {len(unlearned)} of those that are gone ({_some(unlearned)}): what starts from its weights has learned from "
            "them too."
        )
    return Meaning(tuple(said), unlearned)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def changes_of(differences: Sequence[PlanDifference], meaning: Meaning, params: Collection[str]) -> set[Change]:
    """Return the kinds of change that a retraining makes, as a change plan names them.

    Args:
        differences: Between the champion's plan and today's.
        meaning: Of the data's changes.
        params: Sections of the params that changed.
    """
    kinds = {kind for difference in differences for name, kind in KINDS if difference.what.startswith(name)}
    if any(not difference.what.startswith(tuple(name for name, _ in KINDS)) for difference in differences):
        kinds.add(Change.PLAN)
    if meaning.sentences:
        kinds.add(Change.DATA)
    if "train" in params:
        kinds.add(Change.TRAINING)
    return kinds


def explain_targets(old: Collection[str], new: Collection[str]) -> str:
    """Say what another list of targets means for the comparison; empty where they are the same."""
    if set(old) == set(new):
        return ""
    common = sorted(set(old) & set(new))
    added, gone = sorted(set(new) - set(old)), sorted(set(old) - set(new))
    words = [f"{what} {', '.join(names)}" for what, names in (("now also", added), ("no longer", gone)) if names]
    told = f"The model finds {' and '.join(words)}."
    if not common:
        return f"{told} It has no target in common with the champion, so that neither can be judged against the other."
    if gone:
        return f"{told} The gate refuses a model that no longer finds what the champion finds."
    return f"{told} The champion is not comparable there: the floors of the change plan alone hold what is new. What both find is compared: {', '.join(common)}."


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
