"""Whether the version that is asked for is the one that the ledger says: asked before it serves, and before a retraining pays for it."""

from collections.abc import Sequence

from lesionflow.data.ledger import LedgerEntry
from lesionflow.errors import ArtifactError
from lesionflow.registry.succession.history import (
    bars,
    champion_by_ledger,
    describe_bar,
    digest_by_ledger,
    unfinished,
)
from lesionflow.registry.versions import CHAMPION, RegisteredVersion


def hold_against_ledger(version: RegisteredVersion, asked: str, entries: Sequence[LedgerEntry]) -> tuple[str, ...]:
    """Hold a version against the ledger, by what MLflow says of it; nothing is fetched, and nothing changed.

    Args:
        version: What MLflow gives for what was asked.
        asked: An alias or a number. The alias `champion` must lead to the champion of the ledger; whoever asks for a number means it.
        entries: The ledger; one that knows of no champion of the model holds nothing against it.

    Returns:
        What should be said aloud: that the version is barred, or that a change of champion was begun and not ended.

    Raises:
        ArtifactError: When the alias leads elsewhere, or the bundle is not the one that the ledger knows.
    """
    name, number = version.model_name, version.version
    known, begun = champion_by_ledger(entries, name), unfinished(entries, name)
    said = []
    if asked == CHAMPION and begun is not None and number in {begun.facts["version"], begun.facts["before"]}:
        said.append(
            f"a change of champion of {name} from version {begun.facts['before'] or 'none'} to {begun.facts['version']} was begun on {begun.at:.10} and not "
            f"ended; the champion in MLflow is version {number}. The next command that changes the champion ends it."
        )
    elif asked == CHAMPION and known is not None and known != number:
        raise ArtifactError(
            f"{describe_moved(name, known, number)}; `--model {known}` takes one version whatever the alias says."
        )
    digest = digest_by_ledger(entries, name, number)
    if digest is not None and digest != version.bundle_digest:
        raise ArtifactError(
            f"Expected bundle {digest:.12} in {name} version {number} by the ledger, found {version.bundle_digest:.12}: its files and their digest were "
            "exchanged together in MLflow. Take them back from a copy, or choose another version."
        )
    if number in (barred := bars(entries, name)):
        said.append(f"{name} {describe_bar(number, barred[number])}")
    return tuple(said)


def describe_moved(model_name: str, known: str, found: str) -> str:
    """Say that the alias `champion` leads elsewhere than the ledger, and what helps; the sentence is not ended.

    Args:
        model_name: The registered model.
        known: The champion by the ledger.
        found: The version that has the alias.
    """
    return (
        f"Expected version {known} to be champion of {model_name} in MLflow, as the ledger says, found version {found}: somebody moved the alias past the "
        f"ledger, or the ledger here is older than another's (`lesionflow state fetch` brings that). `lesionflow models promote {known} --name NAME "
        f"--reason REASON` makes version {known} champion again, and the same with {found} lets that one stand, by your name"
    )
