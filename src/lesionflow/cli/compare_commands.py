"""Compare two evaluated models patient by patient."""

import argparse
from typing import Any

from lesionflow.config import Settings
from lesionflow.errors import ConfigError

DRAWS, SEED = 10_000, 13


def add_commands(commands: Any) -> None:
    """Add `compare`."""
    compare = commands.add_parser("compare", help="is the second of two evaluated models better, by how much, how sure")
    words = "a run's id or name, MODEL/VERSION, an alias (champion), or the folder of an evaluation"
    compare.add_argument("first", metavar="RUN", help=words)
    compare.add_argument("second", metavar="RUN", help="the same; a gain says how much better this one is")
    compare.add_argument("--confidence", type=float, default=0.95, help="of intervals and verdict (default 0.95)")
    compare.add_argument("--draws", type=int, default=DRAWS, help=f"bootstrap draws of patients (default {DRAWS})")
    compare.add_argument("--seed", type=int, default=SEED, help=f"of the draws (default {SEED})")
    compare.set_defaults(run=_compare)


def _compare(parsed: argparse.Namespace) -> int:
    if not 0.0 < parsed.confidence < 1.0 or parsed.draws < 1:
        raise ConfigError(
            f"Expected --confidence between 0 and 1 and --draws of at least 1, found {parsed.confidence:g} and {parsed.draws}."
        )
    from rich.console import Console

    from lesionflow.steps.compare import compare_models

    found = compare_models(
        parsed.first,
        parsed.second,
        Settings().tracking_uri,
        n_bootstrap=parsed.draws,
        confidence_level=parsed.confidence,
        seed=parsed.seed,
    )
    console = Console()
    console.print(f"{found.second} against {found.first}, paired by patient:", highlight=False)
    for target in dict.fromkeys(d.target for d in found.differences):
        _print_target(console, found, target, parsed.confidence)
    return 0


def _print_target(console: Any, found: Any, target: str, confidence: float) -> None:
    from rich.table import Table

    table = Table("metric", "first", "second", "the second is", "patients", "undefined for one", title=target)
    rows = [d for d in found.differences if d.target == target]
    for d in rows:
        sentence = d.sentence(confidence).replace("[", r"\[")
        cells = (f"{d.first:.3g}", f"{d.second:.3g}", sentence, str(d.n_patients), str(d.n_undefined_for_one))
        table.add_row(d.metric, *cells)
    console.print(table, highlight=False)
    console.print(
        f"{confidence:.0%} intervals by bootstrap of patients; p by sign-flip test, corrected for {len(rows)} metrics (Holm).",
        highlight=False,
    )
