"""The whole of `lesionflow retrain`, step by step; killed anywhere, the same command goes on."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from lesionflow.config import Settings, load_params
from lesionflow.config.challenger import InitialWeights, Trigger, read_challenger
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.cases import TABLE, read_table
from lesionflow.workspace.decision_text import decision_text
from lesionflow.workspace.layout import PATHS, require_workspace
from lesionflow.workspace.recorded_versions import recorded_table
from lesionflow.workspace.retraining.initial_weights import SCRATCH, read_source, set_source
from lesionflow.workspace.retraining.news import PARAMS, News, find_news
from lesionflow.workspace.retraining.request import (
    REQUEST_FOLDER,
    Retraining,
    Start,
    end_retraining,
    keep_before,
    read_retraining,
    write_retraining,
)

#: By this the steps know why they run: it stands at the run and at the version.
TRIGGER = "LESIONFLOW_TRIGGER"
#: A champion's weights are named so.
REGISTERED = "models:/"
Say = Callable[[str], None]


#: Looks at data that were read and planned, and says how challengers begin, as `preparation.prepare` does.
Prepare = Callable[[Path, Retraining, Settings, Say], tuple[Start, ...]]


class RunStages(Protocol):
    """Runs a workspace's stages, as `workspace.run.run_workspace` does."""

    def __call__(
        self, folder: Path, say: Say, *, until: Sequence[str] = (), extra: Mapping[str, str] | None = None
    ) -> int:
        """Run them and return an exit code."""
        ...


def retrain(
    folder: Path,
    *,
    because: Trigger | None,
    initial_weights: InitialWeights | None,
    settings: Settings,
    say: Say,
    run: RunStages,
    prepare: Prepare,
) -> int:
    """Make challengers of what is new, and let the gate judge them; do nothing where nothing is new.

    Args:
        folder: The workspace.
        because: Why; without, what challenger.yaml says, else `data` where studies are new and `hand` where not.
        initial_weights: Where challengers begin; without, what challenger.yaml says, else as the params are.
        settings: The tracking URI and the machine.
        say: Takes text for the user, with its end.
        run: Runs stages.
        prepare: Says how challengers begin, once data are read and planned.

    Returns:
        0, or the exit code of the stage that failed.

    Raises:
        ConfigError: When the folder is no workspace, or the change plan does not allow what changed.
        ArtifactError: When studies are not as they were recorded, or what is shared disagrees.
        ServiceError: When MLflow can't be reached.
    """
    require_workspace(folder)
    under_way = read_retraining(folder)
    news = find_news(folder, lambda sentence: say(f"{sentence}\n"))
    if under_way is None and not news.stages:
        say("Nothing is new: studies and params are those of the last run, whose decision stands. Nothing was done.\n")
        return 0
    if under_way is None:
        under_way = _begin(folder, because, initial_weights, news, say)
    else:
        under_way = _go_on(folder, under_way, initial_weights, say)
    if not under_way.starts:
        say("1. Reading and checking the studies, and planning by them.\n")
        _bring_lock(folder, settings)
        if code := run(folder, say, until=("plan",), extra={TRIGGER: under_way.because}):
            return code
        say("2. What that means:\n")
        under_way = under_way._replace(starts=prepare(folder, under_way, settings, lambda text: say(f"   {text}\n")))
        write_retraining(folder, under_way)
    return _train(folder, under_way, say, run)


def _begin(
    folder: Path, because: Trigger | None, initial_weights: InitialWeights | None, news: News, say: Say
) -> Retraining:
    file = read_challenger(folder)
    default = Trigger.DATA if news.studies else Trigger.HAND
    begun = Retraining(
        because or (file.because if file else default),
        initial_weights or (file.initial_weights if file else None),
        news.params,
    )
    what = [
        *(["studies"] if news.studies else []),
        *([f"params of {', '.join(news.params)}"] if news.params else []),
    ]
    say(f"New: {' and '.join(what) or 'stages that have not run'}. Retraining because: {begun.because}.\n")
    keep_before(folder, _table_of_before(folder, say))
    write_retraining(folder, begun)
    return begun


def _go_on(folder: Path, under_way: Retraining, initial_weights: InitialWeights | None, say: Say) -> Retraining:
    """Go on with what was asked; where challengers shall begin otherwise now, that holds, as long as none was judged."""
    say(f"Going on with the retraining that was broken off (because: {under_way.because}).\n")
    if initial_weights in (None, under_way.initial_weights):
        return under_way
    if under_way.n_done:
        raise ConfigError(
            f"Expected the retraining that was broken off to go on as it was begun, with {under_way.n_done} of {len(under_way.starts)} challengers judged, found "
            f"--from {initial_weights}. Leave --from out to end it first; or remove {REQUEST_FOLDER} to drop it and begin another."
        )
    say(f"No challenger was judged yet: they begin by --from {initial_weights} now.\n")
    under_way = under_way._replace(initial_weights=initial_weights, starts=())
    write_retraining(folder, under_way)
    return under_way


def _table_of_before(folder: Path, say: Say) -> pd.DataFrame | None:
    """Return the recorded case table; what a withdrawal took out of DVC's cache and remote, the one that it left."""
    try:
        return recorded_table(folder)
    except ArtifactError:
        left = folder / PATHS["cases"]
        if not (left / TABLE).exists():
            raise
        say(
            f"The recorded case table is gone, as after a withdrawal: {PATHS['cases']} as it lies here stands for it.\n"
        )
        return read_table(left)


def _bring_lock(folder: Path, settings: Settings) -> None:
    """Let the split here know whom others have locked since: where it did not, DVC sees another file, and divides anew.

    A change plan of a higher version is taken over too.
    """
    from lesionflow.config.change_plan import CHANGE_PLAN
    from lesionflow.steps.shared_state import fetch_shared

    name = str(load_params(folder / PARAMS)["split"]["model_name"])
    fetch_shared(folder / PATHS["splits"], name, settings.tracking_uri, change_plan=folder / CHANGE_PLAN)


def _train(folder: Path, under_way: Retraining, say: Say, run: RunStages) -> int:
    for number, start in enumerate(under_way.starts):
        if number < under_way.n_done:
            continue
        say(
            f"{3 + number}. Challenger {number + 1} of {len(under_way.starts)}, {start.name}: training, scoring and judging it.\n"
        )
        if set_source(folder / PARAMS, start.source):
            say(f"   {PARAMS}: train.transfer.source is {start.source} now.\n")
        if code := run(folder, say, extra={TRIGGER: under_way.because}):
            return code
        say(decision_text(folder / PATHS["promotion"]))
        under_way = under_way._replace(n_done=number + 1)
        write_retraining(folder, under_way)
    end_retraining(folder)
    return 0


def starts_of(
    asked: InitialWeights | None, params: Path, champion: str | None, *, may_warm_start: bool
) -> tuple[Start, ...]:
    """Return how challengers begin.

    Args:
        asked: `champion`, `scratch` or `both`; None for what the params say.
        params: The params file.
        champion: The champion's source, `models:/NAME/VERSION`; None where there is none.
        may_warm_start: Whether a challenger may start from the champion: not where it learned from a patient who was withdrawn.

    Raises:
        ConfigError: When the champion's weights are asked for, and must not be used or are not there.
    """
    scratch = Start("from scratch", SCRATCH)
    if asked is None:
        source = read_source(params)
        if source.startswith(REGISTERED) and not may_warm_start:
            raise _no_warm_start()
        return (scratch if source == SCRATCH else Start(f"from {source}, as the params say", source),)
    if asked is InitialWeights.SCRATCH or (champion is None and asked is InitialWeights.BOTH):
        return (scratch,)
    if champion is None:
        raise ConfigError("Expected a champion to start from, found none yet. Use --from scratch.")
    if not may_warm_start:
        if asked is InitialWeights.BOTH:
            return (scratch,)
        raise _no_warm_start()
    warm = Start(f"from the champion's weights ({champion})", champion)
    return (scratch, warm) if asked is InitialWeights.BOTH else (warm,)


def _no_warm_start() -> ConfigError:
    return ConfigError(
        "Expected to start from weights that know nothing of withdrawn patients, found that the champion has learned from one. Use --from scratch."
    )


def model_name_of(params: Path) -> str:
    """Return the registered model of which a workspace's challengers become versions."""
    return str(load_params(params)["register"]["model_name"])
