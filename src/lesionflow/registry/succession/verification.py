"""Whether what is registered is what was registered: bytes of each version, the ledger's chain, aliases that agree with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lesionflow.data.ledger import LedgerEntry
from lesionflow.errors import ArtifactError
from lesionflow.io.attestations.chain import Chain
from lesionflow.io.stores.ledger import read_ledger
from lesionflow.registry.registered_bundles import fetch_attested
from lesionflow.registry.succession.history import (
    FOUND,
    bars,
    champion_by_ledger,
    digest_by_ledger,
    history,
    rollback_target,
    unfinished,
)
from lesionflow.registry.versions import CHAMPION, PREVIOUS, RegisteredVersion, list_versions, require_version


class VersionFinding(NamedTuple):
    """Something that was verified: what, whether it held, what was found and what to do."""

    what: str
    held: bool
    detail: str


def verify_versions(
    model_name: str, version: str | None, ledger: Path | None, tracking_uri: str
) -> tuple[VersionFinding, ...]:
    """Verify a model's versions, its ledger and its aliases. Nothing is changed.

    Args:
        model_name: The registered model.
        version: The one whose bytes are read, a number or an alias; None reads those of all.
        ledger: The ledger; None where there is no workspace, and only bytes can be verified.
        tracking_uri: The store.

    Raises:
        ArtifactError: When there is no such version.
        ServiceError: When the store can't be reached.
    """
    versions = list_versions(model_name, tracking_uri)
    wanted = versions if version is None else (require_version(model_name, version, tracking_uri),)
    entries: tuple[LedgerEntry, ...] = ()
    findings = []
    if ledger is None:
        findings.append(
            VersionFinding("ledger", held=True, detail="no workspace here: not asked. Name one with --workdir.")
        )
    else:
        try:
            entries = read_ledger(ledger)
            findings.append(
                VersionFinding("ledger", held=True, detail=f"{len(entries)} entries, each follows the one before it")
            )
        except ArtifactError as error:
            findings.append(VersionFinding("ledger", held=False, detail=str(error)))
    findings += [finding for one in wanted for finding in _verify_version(one, entries, tracking_uri)]
    if entries:
        findings += _verify_aliases(model_name, versions, entries)
    return tuple(findings)


def _verify_version(
    version: RegisteredVersion, entries: Sequence[LedgerEntry], tracking_uri: str
) -> tuple[VersionFinding, ...]:
    what = f"version {version.version}"
    try:
        bundle, chain = fetch_attested(version.model_name, version.version, tracking_uri)
    except ArtifactError as error:
        return (VersionFinding(what, held=False, detail=str(error)),)
    known = digest_by_ledger(entries, version.model_name, version.version)
    if known not in {None, bundle.digest}:
        detail = f"Expected bundle {known:.12} by the ledger, found {bundle.digest:.12}: files and their digest were exchanged together."
        return (VersionFinding(what, held=False, detail=detail),)
    held = VersionFinding(what, held=True, detail=f"every byte of bundle {bundle.digest:.12} is as registered")
    return held, _verify_steps(what, chain)


def _verify_steps(what: str, chain: Chain | None) -> VersionFinding:
    if chain is None:
        detail = "not attested: registered by lesionflow 0.2 or older, or made outside of the pipeline"
        return VersionFinding(f"{what}, steps", held=True, detail=detail)
    return VersionFinding(f"{what}, steps", held=chain.whole, detail=chain.in_words())


def _verify_aliases(
    model_name: str, versions: Sequence[RegisteredVersion], entries: Sequence[LedgerEntry]
) -> list[VersionFinding]:
    there = {alias: one.version for one in versions for alias in one.aliases}
    champion, known = there.get(CHAMPION), champion_by_ledger(entries, model_name)
    begun, barred = unfinished(entries, model_name), bars(entries, model_name)
    reigns = history(entries, model_name)
    if champion is not None and champion == known and reigns[-1].by == FOUND:
        detail = (
            f"version {known} was found as champion in MLflow, by no decision of this ledger. `lesionflow models promote {known} --name NAME --reason "
            "REASON` lets it stand, by your name."
        )
        found = [VersionFinding(CHAMPION, held=False, detail=detail)]
    elif champion == known:
        found = [VersionFinding(CHAMPION, held=True, detail=f"version {known or 'none'}, as the ledger says")]
    else:
        gone = known is not None and known not in {one.version for one in versions}
        detail = (
            f"Expected version {known or 'none'} by the ledger, found {champion or 'none'} in MLflow{', where it was deleted' if gone else ''}. "
            "`lesionflow models history` says who was champion; `lesionflow models promote VERSION --name NAME --reason REASON` or "
            "`lesionflow models rollback --name NAME --reason REASON` sets one."
        )
        found = [VersionFinding(CHAMPION, held=False, detail=detail)]
    if champion is not None and champion in barred:
        detail = (
            f"version {champion} is barred by entry {barred[champion].sequence}. `lesionflow models rollback --name NAME --reason REASON` leaves it, "
            f"`lesionflow models lift {champion} --name NAME --reason REASON` lets it stay."
        )
        found.append(VersionFinding("bars", held=False, detail=detail))
    expected = rollback_target(entries, model_name)
    if begun is None and there.get(PREVIOUS) not in {expected, None}:
        detail = f"Expected {expected or 'none'}, where a rollback goes to, found {there[PREVIOUS]}. The next change of champion mends it."
        found.append(VersionFinding(PREVIOUS, held=False, detail=detail))
    if begun is not None:
        detail = f"entry {begun.sequence} was begun and not ended: the next command that changes the champion does."
        found.append(VersionFinding("unfinished", held=False, detail=detail))
    return found
