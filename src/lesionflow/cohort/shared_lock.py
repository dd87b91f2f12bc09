"""Two locks of one test set, drawn in two places: whether they agree, and the one that holds all that either knows."""

from collections.abc import Collection

from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError

MAX_NAMED = 8
ADVICE = (
    "Figures of the two can't be compared, and a model of the one has learned from test patients of the other. To honor the shared test set, "
    "move the split's file and the ledger beside it away and run `lesionflow split` again; what was trained here is then no challenger."
)


def join_locks(here: Split, shared: Split) -> Split:
    """Join the split of a workspace with the one that its registered model shares.

    Args:
        here: The workspace's.
        shared: The registered model's.

    Returns:
        `here` or `shared` where it knows all that the other does; else one whose locks hold the patients and cases of both, folds as
        they are here.

    Raises:
        ArtifactError: When they have no patient in common, or somebody is tested on in the one and learned from in the other.
    """
    ours, theirs = _patients(here), _patients(shared)
    if ours and theirs and not ours & theirs:
        raise ArtifactError(
            f"Expected the test set of this workspace to be the one that its registered model shares, found no patient in common: {len(ours)} here, "
            f"{len(theirs)} there. These are other data, or their pseudonyms were made with another key. Restore the key (LESIONFLOW_PRIVATE_DIR or "
            "LESIONFLOW_PSEUDONYM_KEY), or name another model in split.model_name."
        )
    clash = {*here.test_patients} & {*shared.other_patients} | {*here.other_patients} & {*shared.test_patients}
    cases = {*here.test} & _learned(shared) | _learned(here) & {*shared.test}
    if clash or cases:
        what, names = ("patients", clash) if clash else ("cases", cases)
        raise ArtifactError(
            f"Expected the test set of this workspace to be the one that its registered model shares, found {len(names)} {what} tested on in one and "
            f"learned from in the other: {_some(names)}. {ADVICE}"
        )
    if theirs <= ours and {*shared.test_patients} <= {*here.test_patients}:
        return here
    if ours <= theirs and {*here.test_patients} <= {*shared.test_patients}:
        return shared
    return _union(here, shared)


def leave_out(split: Split, words: Collection[str]) -> Split:
    """Return a split without a patient who was withdrawn: nobody is locked for one who is in no data any more.

    Args:
        split: The split.
        words: The patient's pseudonym and those of the cases.
    """

    def left(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name not in words)

    return split.model_copy(
        update={
            "folds": tuple(Fold(train=left(fold.train), validation=left(fold.validation)) for fold in split.folds),
            "test": left(split.test),
            "test_patients": left(split.test_patients),
            "other_patients": left(split.other_patients),
        }
    )


def _union(here: Split, shared: Split) -> Split:
    test = {*here.test} | {*shared.test}
    new = sorted(_learned(shared) - _learned(here) - test)
    # Trained on, and in no fold's validation: the next split gives them a fold.
    folds = tuple(
        Fold(train=tuple(sorted({*fold.train, *new})), validation=fold.validation) if new else fold
        for fold in here.folds
    )
    return Split(
        seed=here.seed,
        fold=here.fold,
        folds=folds,
        test=tuple(sorted(test)),
        test_patients=tuple(sorted({*here.test_patients} | {*shared.test_patients})),
        other_patients=tuple(sorted({*here.other_patients} | {*shared.other_patients})),
        model_name=here.model_name,
    )


def _patients(split: Split) -> set[str]:
    return {*split.test_patients, *split.other_patients}


def _learned(split: Split) -> set[str]:
    return {case_id for fold in split.folds for case_id in (*fold.train, *fold.validation)}


def _some(names: set[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(sorted(names)[:MAX_NAMED]) + more
