"""A retraining under way: what was asked, which challengers it makes and which are done; on disk, so that a kill loses nothing."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionflow.config.challenger import InitialWeights, Trigger
from lesionflow.errors import ArtifactError
from lesionflow.io.files import write_text
from lesionflow.io.stores.cases import TABLE, read_table, write_table
from lesionflow.machine.error_words import plain_words

REQUEST_FOLDER = Path("reports") / "retraining"
NAME, BEFORE = "request.json", "before"


class Start(NamedTuple):
    """How one challenger begins: its name for people, and what `train.transfer.source` becomes."""

    name: str
    source: str


class Retraining(NamedTuple):
    """What was asked and how far it is. `starts` is empty until the data were looked at; `n_done` of them are judged."""

    because: Trigger
    initial_weights: InitialWeights | None
    params: tuple[str, ...] = ()
    starts: tuple[Start, ...] = ()
    n_done: int = 0


def read_retraining(workspace: Path) -> Retraining | None:
    """Read what is under way; None where nothing is.

    Raises:
        ArtifactError: When the file was altered.
    """
    path = workspace / REQUEST_FOLDER / NAME
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        weights = content["initial_weights"]
        return Retraining(
            Trigger(content["because"]),
            None if weights is None else InitialWeights(weights),
            tuple(content["params"]),
            tuple(Start(*start) for start in content["starts"]),
            int(content["n_done"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"Expected {REQUEST_FOLDER / NAME} as `lesionflow retrain` wrote it, found: {plain_words(error, length=200)}. Remove it to begin the retraining anew."
        ) from error


def write_retraining(workspace: Path, retraining: Retraining) -> None:
    """Write how far it is, whole or not at all."""
    write_text(workspace / REQUEST_FOLDER / NAME, json.dumps(retraining._asdict(), indent=2) + "\n")


def keep_before(workspace: Path, table: pd.DataFrame | None) -> None:
    """Keep the case table of before, as DVC's record is of the data of now once they were read."""
    if table is not None and not (workspace / REQUEST_FOLDER / BEFORE).exists():
        (workspace / REQUEST_FOLDER / BEFORE).mkdir(parents=True, exist_ok=True)
        write_table(workspace / REQUEST_FOLDER / BEFORE, table)


def table_before(workspace: Path) -> pd.DataFrame | None:
    """Return the case table of before; None where nothing was recorded then."""
    folder = workspace / REQUEST_FOLDER / BEFORE
    return read_table(folder) if (folder / TABLE).exists() else None


def end_retraining(workspace: Path) -> None:
    """Forget a retraining that is done, its request first."""
    (workspace / REQUEST_FOLDER / NAME).unlink(missing_ok=True)
    shutil.rmtree(workspace / REQUEST_FOLDER, ignore_errors=True)
