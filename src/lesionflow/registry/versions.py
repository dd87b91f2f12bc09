"""Versions of a registered model, and the aliases that say which is `champion`, `challenger` and `previous`."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lesionflow.errors import ArtifactError
from lesionflow.registry.mlflow_store import connect, reaching
from lesionflow.registry.pages.champion_marks import mark_roles
from lesionflow.registry.tracking import INVALID

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
DIGEST_TAG = "bundle_digest"
#: How tags begin that tell a rule of the gate and what came of it, at the run that trained a version; before 0.2 at the version.
RULE_TAG = "promotion."
NOT_FOUND, ALREADY_THERE = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"
PAGE_SIZE = 200
#: What a registered model is called that holds another one's state, and no bundles: see `registry.shared_state`.
STATE_SUFFIX = ".state"


class RegisteredVersion(NamedTuple):
    """One version of a registered model, newest aliases included."""

    model_name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str
    bundle_digest: str
    created_at: str
    source: str
    tags: Mapping[str, str]


class ChampionChange(NamedTuple):
    """Which version was champion before and which is now; None where there was none."""

    before: str | None
    after: str | None


def list_versions(model_name: str, tracking_uri: str) -> tuple[RegisteredVersion, ...]:
    """Return all versions of a model, newest first; none when there is no such model.

    Raises:
        ServiceError: When the store can't be reached.
    """
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        try:
            by_alias = client.get_registered_model(model_name).aliases
        except MlflowException as error:
            if error.error_code == NOT_FOUND:
                return ()
            raise
        versions = find_all_versions(client, model_name)
    found = (_registered(model_name, version, by_alias) for version in versions)
    return tuple(sorted(found, key=lambda version: -int(version.version)))


def list_models(tracking_uri: str) -> tuple[str, ...]:
    """Return the names of all registered models that hold bundles.

    Raises:
        ServiceError: When the store can't be reached.
    """
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        names = (model.name for model in client.search_registered_models(max_results=1000))
        return tuple(sorted(name for name in names if not name.endswith(STATE_SUFFIX)))


def find_version(model_name: str, version_or_alias: str, tracking_uri: str) -> RegisteredVersion | None:
    """Return a version by its number or alias, None when there is none.

    Raises:
        ServiceError: When the store can't be reached.
    """
    for version in list_versions(model_name, tracking_uri):
        if version_or_alias == version.version or version_or_alias in version.aliases:
            return version
    return None


def require_version(model_name: str, version_or_alias: str, tracking_uri: str) -> RegisteredVersion:
    """Return a version by its number or alias.

    Raises:
        ArtifactError: When there is none.
        ServiceError: When the store can't be reached.
    """
    found = find_version(model_name, version_or_alias, tracking_uri)
    if found is None:
        message = (
            f"Expected a version {version_or_alias!r} of the registered model {model_name!r}, found none. "
            "`lesionflow models list` shows what there is; train one with `lesionflow run`."
        )
        raise ArtifactError(message)
    return found


def make_registered_model(client: MlflowClient, model_name: str) -> None:
    """Make a registered model, unless it is there. What the store raises comes as it is."""
    try:
        client.create_registered_model(model_name)
    except MlflowException as error:
        if error.error_code != ALREADY_THERE:
            raise


def set_alias(model_name: str, alias: str, version: str, tracking_uri: str) -> None:
    """Let an alias name a version.

    Raises:
        ServiceError: When the store can't be reached or there is no such version.
    """
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        client.set_registered_model_alias(model_name, alias, version)


def delete_alias(model_name: str, alias: str, tracking_uri: str) -> None:
    """Let an alias name no version.

    Raises:
        ServiceError: When the store can't be reached.
    """
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        client.delete_registered_model_alias(model_name, alias)


def mark_aliases(model_name: str, tracking_uri: str) -> None:
    """Repeat a model's aliases at its runs, where reviewers compare them.

    Raises:
        ServiceError: When the store can't be reached.
    """
    mark_roles(connect(tracking_uri), list_versions(model_name, tracking_uri))


def keep_first(made: RegisteredVersion, before: Collection[str], tracking_uri: str) -> RegisteredVersion:
    """Take a version that was just made away again where another program registered the same bundle at the same moment.

    Each keeps the lowest number, so that all keep the same.

    Args:
        made: The version, whole.
        before: Versions that were there when registering began: of this bundle they are none that is whole.
        tracking_uri: The store.

    Returns:
        The version that stays.

    Raises:
        ServiceError: When the store can't be reached or refuses.
    """
    twins = (one for one in list_versions(made.model_name, tracking_uri) if one.bundle_digest == made.bundle_digest)
    first = min((made, *(one for one in twins if one.version not in before)), key=lambda one: int(one.version))
    if first.version != made.version:
        with reaching(tracking_uri):
            connect(tracking_uri).delete_model_version(made.model_name, made.version)
    return first


def rules_told(version: RegisteredVersion, tracking_uri: str) -> dict[str, str]:
    """Return what the gate said of a version, rule by rule; nothing where it was not judged, or its run was deleted for good.

    Raises:
        ServiceError: When the store can't be reached.
    """
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        try:
            tags = client.get_run(version.run_id).data.tags
        except MlflowException as error:
            if error.error_code not in {NOT_FOUND, INVALID}:
                raise
            return {}
    begun = {key.removeprefix(RULE_TAG): text for key, text in tags.items() if key.startswith(RULE_TAG)}
    return {rule: text for rule, text in begun.items() if text.startswith(("held: ", "not held: "))}


def tag_version(model_name: str, version: str, tags: Mapping[str, str], tracking_uri: str) -> None:
    """Set tags of a version, replacing those of the same name.

    Raises:
        ServiceError: When the store can't be reached or there is no such version.
    """
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        for key, value in tags.items():
            client.set_model_version_tag(model_name, version, key, value)


def find_all_versions(client: MlflowClient, model_name: str) -> list[Any]:
    """Return all versions of a model as MLflow has them, from all pages of its answer; none when there is no such model."""
    page = client.search_model_versions(f"name = '{model_name}'", max_results=PAGE_SIZE)
    versions = list(page)
    while page.token:
        page = client.search_model_versions(f"name = '{model_name}'", max_results=PAGE_SIZE, page_token=page.token)
        versions += page
    return versions


def _registered(model_name: str, version: Any, by_alias: Mapping[str, object]) -> RegisteredVersion:
    tags = dict(version.tags)
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    return RegisteredVersion(
        model_name=model_name,
        version=str(version.version),
        aliases=tuple(sorted(alias for alias, number in by_alias.items() if str(number) == str(version.version))),
        run_id=version.run_id or "",
        bundle_digest=tags.get(DIGEST_TAG, ""),
        created_at=created.isoformat(timespec="seconds"),
        source=version.source,
        tags=tags,
    )
