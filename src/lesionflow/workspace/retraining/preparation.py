"""Between planning and training: what changed and means, whether the change plan allows it, what the test set can show, how challengers begin."""

from collections.abc import Callable, Collection
from pathlib import Path

import pandas as pd

from lesionflow.cohort.splitting import digest_of_test_set
from lesionflow.config import Settings
from lesionflow.config.change_plan import CHANGE_PLAN, Change, ChangePlan, read_change_plan
from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.data.plan import Plan
from lesionflow.data.split import Split
from lesionflow.errors import ConfigError
from lesionflow.evaluation.gate import targets_between, targets_permitted
from lesionflow.evaluation.statistics.test_set_looks import looks_spent
from lesionflow.io.stores.cases import read_table
from lesionflow.io.stores.ledger import append_entry, ledger_path, read_ledger
from lesionflow.io.stores.plans import read_plan
from lesionflow.io.stores.splits import read_split
from lesionflow.planning.diff import compare_plans
from lesionflow.registry.succession import hold_against_ledger, learned_from_withdrawn
from lesionflow.registry.versions import CHAMPION
from lesionflow.steps.revision import code_revision
from lesionflow.steps.shared_state import share_ledger
from lesionflow.workspace.layout import PATHS
from lesionflow.workspace.retraining.champion import Champion, find_present_champion, measure_scatter
from lesionflow.workspace.retraining.command import model_name_of, starts_of
from lesionflow.workspace.retraining.forecast import describe_power
from lesionflow.workspace.retraining.meaning import Meaning, changes_of, explain_changes, explain_targets
from lesionflow.workspace.retraining.news import PARAMS
from lesionflow.workspace.retraining.request import Retraining, Start, table_before

Say = Callable[[str], None]


def prepare(folder: Path, asked: Retraining, settings: Settings, say: Say) -> tuple[Start, ...]:
    """Say what the new data and plan mean, and how challengers begin; note the retraining in the ledger.

    Args:
        folder: The workspace, its data read and planned.
        asked: What was asked.
        settings: The tracking URI.
        say: Takes a sentence.

    Returns:
        One or two challengers.

    Raises:
        ConfigError: When the change plan does not allow what changed, or a challenger may not begin as asked.
        ArtifactError: When the champion was harmed, or what is shared disagrees.
        ServiceError: When MLflow can't be reached.
    """
    champion = find_present_champion(model_name_of(folder / PARAMS), settings)
    split, now = read_split(folder / PATHS["splits"]), read_table(folder / PATHS["cases"])
    before = table_before(folder)
    meaning = explain_changes(now if before is None else before, now, split, champion.learned if champion else ())
    for sentence in meaning.sentences or ("No study changed.",):
        say(sentence)
    own_plan = folder / CHANGE_PLAN
    share_ledger(folder / PATHS["splits"], settings.tracking_uri, change_plan=own_plan if own_plan.exists() else None)
    entries = read_ledger(ledger_path(folder / PATHS["splits"]))
    if champion is None:
        say("There is no champion yet: the first that holds the gate's floors becomes it.")
    else:
        for warning in hold_against_ledger(champion.version, CHAMPION, entries):
            say(f"Look at this first: {warning}")
        changes = _changes(folder, champion, meaning, asked, say)
        if own_plan.exists():
            plan = read_change_plan(own_plan)
            _require_allowed(changes, plan)
            _require_targets(champion, read_plan(folder / PATHS["plan"]), plan)
            told = (
                f"allows what changed: {', '.join(sorted(changes))}"
                if changes
                else "has nothing to allow: nothing changed"
            )
            say(f"{CHANGE_PLAN}, number {plan.version}, {told}.")
            _say_power(champion, plan, split, now, entries, settings, say)
        else:
            # A workspace of before there were change plans; what judges needs one, or does not.
            say(f"There is no {CHANGE_PLAN} beside {PARAMS}: what may change, and what can be shown, is not told.")
    starts = starts_of(
        asked.initial_weights,
        folder / PARAMS,
        champion.source if champion else None,
        may_warm_start=champion is None
        or champion.version.version not in learned_from_withdrawn(entries, champion.version.model_name),
    )
    say(f"Challengers: {', then '.join(start.name for start in starts)}.")
    _note(folder, asked, starts, champion, settings)
    return starts


def _changes(folder: Path, champion: Champion, meaning: Meaning, asked: Retraining, say: Say) -> set[Change]:
    """Say how the plan differs from the champion's."""
    old, new = champion.bundle.plan, read_plan(folder / PATHS["plan"])
    differences = compare_plans(old, new)
    for found in differences:
        say(f"Plan: {found.what} {found.old}, now {found.new}: {found.why}.")
    if not differences:
        say("The plan is the champion's.")
    if told := explain_targets([target.name for target in old.targets], [target.name for target in new.targets]):
        say(told)
    return changes_of(differences, meaning, asked.params)


def _require_allowed(changes: Collection[Change], plan: ChangePlan) -> None:
    """Refuse before a training is paid for what the gate would refuse after it."""
    other = sorted(set(changes) - set(plan.what_may_change))
    if other:
        raise ConfigError(
            f"Expected changes of {', '.join(plan.what_may_change)}, which {CHANGE_PLAN} (version {plan.version}) allows, found also {', '.join(other)}. Undo "
            "them, or let who answers for the change plan allow them in a new version of it."
        )


def _require_targets(champion: Champion, now: Plan, plan: ChangePlan) -> None:
    """Refuse before a training is paid for the other targets that the gate would refuse after it."""
    ours, theirs = ([target.name for target in one.targets] for one in (now, champion.bundle.plan))
    for reason in targets_permitted(targets_between(ours, theirs), plan):
        if not reason.held:
            raise ConfigError(f"The gate would refuse this model. {reason.detail}")


def _say_power(
    champion: Champion,
    plan: ChangePlan,
    split: Split,
    now: pd.DataFrame,
    entries: tuple[LedgerEntry, ...],
    settings: Settings,
    say: Say,
) -> None:
    hashes = {row.case_id: (row.image_sha256, row.mask_sha256) for row in now.itertuples()}
    tested = now[now["case_id"].isin(split.test)]
    spent = looks_spent(entries, digest_of_test_set(split, hashes), test_patients=split.test_patients)
    scatters = measure_scatter(champion, plan, settings, entries)
    if not scatters:
        say("The champion has no scores in MLflow: what the test set can show is not told.")
    else:
        say(describe_power(scatters, tested["patient_id"].nunique(), spent, plan))


def _note(
    folder: Path, asked: Retraining, starts: tuple[Start, ...], champion: Champion | None, settings: Settings
) -> None:
    """Note the retraining in the ledger, once: a kill before it was noted to be under way notes it again."""
    splits = folder / PATHS["splits"]
    facts = {
        "because": str(asked.because),
        "initial_weights": [start.source for start in starts],
        "champion_version": champion.version.version if champion else None,
        "params_changed": list(asked.params),
        "code_revision": code_revision(),
    }
    last = next(
        (entry for entry in reversed(read_ledger(ledger_path(splits))) if entry.kind is EntryKind.RETRAIN), None
    )
    if last is None or {key: last.facts.get(key) for key in facts} != facts:
        append_entry(ledger_path(splits), EntryKind.RETRAIN, facts)
        share_ledger(splits, settings.tracking_uri)
