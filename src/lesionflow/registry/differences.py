"""What two versions of a model differ in: data, params, plan, figures, card, from what travels with each and from its run."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mlflow.exceptions import MlflowException

from lesionflow.data.bundle import Bundle
from lesionflow.registry.mlflow_store import connect, reaching
from lesionflow.registry.registered_bundles import fetch_bundle
from lesionflow.registry.tracking import INVALID, NOT_FOUND, flatten
from lesionflow.registry.versions import RegisteredVersion, require_version

ABSENT = "-"
#: Cards and plans hold lists of cases and channels: so much of a value is shown.
LONGEST_VALUE = 60
#: Of a card, what is told under `data` or `params`.
TOLD_ELSEWHERE = ("train_params", "trained_cases", "validation_cases", "data_revision", "folds", "coarse")


class VersionDifference(NamedTuple):
    """A value that is another one in the second version; `-` where it is absent."""

    part: str
    key: str
    first: str
    second: str


def diff_versions(
    model_name: str, first: str, second: str, tracking_uri: str
) -> tuple[str, str, tuple[VersionDifference, ...]]:
    """Compare two versions of a model.

    Args:
        model_name: The registered model.
        first: A version's number or an alias.
        second: The same, of the other.
        tracking_uri: The store.

    Returns:
        The numbers of both, and each value that differs: `data`, `params`, `plan`, `figures` and `card`, in this order.

    Raises:
        ArtifactError: When there is no such version, or its files are not those that were registered.
        ServiceError: When the store can't be reached.
    """
    versions = [require_version(model_name, one, tracking_uri) for one in (first, second)]
    bundles = [fetch_bundle(model_name, version.version, tracking_uri) for version in versions]
    one, other = (_describe(version, bundle, tracking_uri) for version, bundle in zip(versions, bundles, strict=True))
    found = [difference for part in one for difference in _compare_values(part, one[part], other[part])]
    found[:0] = [*_compare_cases(*bundles), *_compare_test_sets(versions)]
    return versions[0].version, versions[1].version, tuple(found)


def _describe(version: RegisteredVersion, bundle: Bundle, tracking_uri: str) -> dict[str, Mapping[str, str]]:
    card = bundle.card.model_dump(mode="json")
    return {
        "data": {"revision": str(card["data_revision"])},
        "params": _texts(card["train_params"]),
        "plan": _texts(bundle.plan.model_dump(mode="json", exclude={"decisions"})),
        "figures": _figures(version, tracking_uri),
        "card": _texts({key: value for key, value in card.items() if key not in TOLD_ELSEWHERE}),
    }


def _figures(version: RegisteredVersion, tracking_uri: str) -> dict[str, str]:
    """Return the run's figures on the test set; those that the version itself keeps where the run was deleted for good."""
    kept = {key: value for key, value in version.tags.items() if key.startswith("test_dice")}
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        try:
            metrics = client.get_run(version.run_id).data.metrics
        except MlflowException as error:
            if error.error_code not in {NOT_FOUND, INVALID}:
                raise
            return kept
    return {**kept, **{key: f"{value:.4g}" for key, value in metrics.items() if key.startswith("test/")}}


def _compare_cases(first: Bundle, second: Bundle) -> Iterable[VersionDifference]:
    ours, theirs = set(first.card.trained_cases), set(second.card.trained_cases)
    if ours != theirs:
        yield VersionDifference("data", "trained on", f"{len(ours)} cases", f"{len(theirs)} cases")
        yield VersionDifference("data", "in one alone", _name_some(ours - theirs), _name_some(theirs - ours))


def _compare_test_sets(versions: Iterable[RegisteredVersion]) -> Iterable[VersionDifference]:
    """Say that figures are of two test sets, which nobody may compare."""
    ours, theirs = (version.tags.get("test_set_sha256", ABSENT) for version in versions)
    if ours != theirs:
        yield VersionDifference(
            "data", "tested on", *(f"the set {one:.12}: no figure can be compared" for one in (ours, theirs))
        )


def _compare_values(part: str, one: Mapping[str, str], other: Mapping[str, str]) -> Iterable[VersionDifference]:
    for key in dict.fromkeys([*one, *other]):
        ours, theirs = one.get(key, ABSENT), other.get(key, ABSENT)
        if ours != theirs:
            yield VersionDifference(part, key, _short(ours), _short(theirs))


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in flatten(values).items()}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _name_some(cases: set[str]) -> str:
    return _short(", ".join(sorted(cases)) or ABSENT)
