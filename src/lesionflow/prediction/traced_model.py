"""From a passport to the registered model that made the mask: what the registry knows, and where it says otherwise."""

from typing import TYPE_CHECKING, NamedTuple

from lesionflow.errors import ArtifactError
from lesionflow.prediction.passport import Passport
from lesionflow.prediction.tracing import State, TraceFinding

if TYPE_CHECKING:
    from lesionflow.data.bundle import Card
    from lesionflow.io.attestations.chain import Chain
    from lesionflow.registry.versions import RegisteredVersion

#: What passport and bundle both say of the training.
SHARED = ("run_id", "plan_sha256", "code_revision", "data_revision")


class TracedModel(NamedTuple):
    """The registered version, None where there is none; what its bundle says of itself; what was found."""

    version: "RegisteredVersion | None"
    card: "Card | None"
    findings: tuple[TraceFinding, ...]


def trace_model(passport: Passport, tracking_uri: str) -> TracedModel:
    """Find the version whose bundle made a mask, and compare what both say.

    Args:
        passport: Of the mask.
        tracking_uri: The store.

    Raises:
        ServiceError: When the store can't be reached.
    """
    from lesionflow.registry.registered_bundles import fetch_attested
    from lesionflow.registry.versions import list_models, list_versions

    models = list_models(tracking_uri)
    versions = [version for name in models for version in list_versions(name, tracking_uri)]
    same = [version for version in versions if version.bundle_digest == passport.bundle_digest]
    found = next((v for v in same if _is_called(passport, v)), same[0] if same else None)
    if found is None:
        return TracedModel(None, None, (_missing(passport, versions),))
    try:
        bundle, chain = fetch_attested(found.model_name, found.version, tracking_uri)
        card = bundle.card
    except ArtifactError as error:
        return TracedModel(found, None, (_named(passport, found), TraceFinding("bundle", State.BROKEN, str(error))))
    held = TraceFinding("bundle", State.HELD, f"the registry has it, byte for byte: {found.bundle_digest}")
    return TracedModel(found, card, (_named(passport, found), held, *_differences(passport, card), _steps(chain)))


def _steps(chain: "Chain | None") -> TraceFinding:
    if chain is None:
        detail = "not attested: the model was registered by lesionflow 0.2 or older, or made outside of the pipeline"
        return TraceFinding("steps", State.UNCHECKED, detail)
    return TraceFinding("steps", State.HELD if chain.whole else State.BROKEN, chain.in_words())


def _is_called(passport: Passport, version: "RegisteredVersion") -> bool:
    return (version.model_name, version.version) == (passport.model_name, passport.model_version)


def _missing(passport: Passport, versions: "list[RegisteredVersion]") -> TraceFinding:
    called = f"{passport.model_name} version {passport.model_version}"
    if any(_is_called(passport, version) for version in versions):
        detail = f"{called} of this registry has another bundle: the passport is of another registry, or was altered"
        return TraceFinding("model", State.BROKEN, detail)
    detail = f"no version of {passport.model_name} has this bundle: it was deleted, never registered, or is another registry's"
    return TraceFinding("model", State.BROKEN, detail)


def _named(passport: Passport, found: "RegisteredVersion") -> TraceFinding:
    aliases = ", ".join(found.aliases) or "none"
    called = f"{found.model_name} version {found.version}, aliases {aliases}"
    # A bundle that was run from its folder, or by MLflow itself, is not told how it is registered.
    if _is_called(passport, found) or not passport.model_version.isdigit():
        return TraceFinding("model", State.HELD, called)
    told = f"{passport.model_name} version {passport.model_version}"
    return TraceFinding("model", State.ALTERED, f"the passport says {told}, but its bundle is {called}")


def _differences(passport: Passport, card: "Card") -> tuple[TraceFinding, ...]:
    found = []
    for name in SHARED:
        told, known = str(getattr(passport, name)), str(getattr(card, name))
        if told != known:
            found.append(TraceFinding(name, State.ALTERED, f"the passport says {told}, the registered bundle {known}"))
    return tuple(found)
