"""Compare two evaluated models patient by patient."""

import argparse
from pathlib import Path
from typing import Any

from lesionflow.cli.chosen_store import add_workdir, settings_of
from lesionflow.errors import ConfigError
from lesionflow.workspace.layout import PATHS


def add_commands(commands: Any) -> None:
    """Add `compare`."""
    compare = commands.add_parser("compare", help="is the second of two evaluated models better, by how much, how sure")
    words = "a run's id or name, MODEL/VERSION, an alias (champion), or the folder of an evaluation"
    compare.add_argument("first", metavar="RUN", help=words)
    compare.add_argument("second", metavar="RUN", help="the same; a gain says how much better this one is")
    again = "other trainings of the first, alike but for the seed: says how far a seed alone moves each figure"
    compare.add_argument("--repeats", metavar="RUN", nargs="+", default=[], help=again)
    compare.add_argument("--confidence", type=float, default=0.95, help="of intervals and verdict (default 0.95)")
    add_workdir(compare)
    compare.set_defaults(run=_compare)


def _compare(parsed: argparse.Namespace) -> int:
    if not 0.0 < parsed.confidence < 1.0:
        raise ConfigError(f"Expected --confidence between 0 and 1, found {parsed.confidence:g}.")
    from rich.console import Console

    from lesionflow.steps.compare import compare_models

    found = compare_models(
        parsed.first,
        parsed.second,
        settings_of(parsed).tracking_uri,
        confidence_level=parsed.confidence,
        repeats=parsed.repeats,
        workspace=_workspace(parsed),
    )
    console = Console()
    _say(
        console,
        f"{found.second} against {found.first}, paired by patient. Gains say how much better {found.second} is.",
    )
    if found.scored_anew:
        _say(
            console,
            f"Scored now on the present test set, as their scores were of another one: {', '.join(found.scored_anew)}.",
        )
    if found.of_one_alone:
        _say(console, f"Found by one of them alone, and not compared: {', '.join(found.of_one_alone)}.")
    for target in dict.fromkeys(d.target for d in found.differences):
        noise = {n.metric: n for n in found.seed_noise if n.target == target}
        _print_target(console, [d for d in found.differences if d.target == target], noise, parsed.confidence)
    return 0


def _workspace(parsed: argparse.Namespace) -> Any:
    """Return where what is missing can be scored: the workspace that is named, or the one here; None where there is none."""
    from lesionflow.steps.compare import Workspace

    folder = parsed.workdir or Path()
    cases, splits = folder / PATHS["cases"], folder / PATHS["splits"]
    return Workspace(cases, splits, settings_of(parsed)) if cases.exists() and splits.exists() else None


def _print_target(console: Any, differences: list[Any], noise: dict[str, Any], confidence: float) -> None:
    width = max(len(d.metric) for d in differences)
    most = max(d.n_patients for d in differences)
    _say(console, f"\n{differences[0].target}, {most} patients")
    for d in differences:
        notes = [f"{d.n_patients} patients"] if 0 < d.n_patients < most else []
        notes += [f"undefined for one alone in {d.n_undefined_for_one} cases"] if d.n_undefined_for_one else []
        notes += [d.penalty()] if d.penalty() else []
        if d.metric in noise:
            notes.append(f"a seed alone may move it by {_figure(noise[d.metric].limit)}")
        sentence = "; ".join([d.sentence(confidence), *notes])
        _say(console, f"  {d.metric:{width}}  {_figure(d.first):>7}  {_figure(d.second):>7}  {sentence}")
    words = f"p of {differences[0].metric} as it is, of the other {len(differences) - 1} metrics corrected for their number (Holm)"
    _say(console, f"{confidence:.0%} intervals and p by sign flips of patients; {words}.")


def _figure(value: float) -> str:
    return "–" if value != value else f"{value:.3g}"  # noqa: PLR0124


def _say(console: Any, words: str) -> None:
    # Lines are kept whole, so that they can be searched and cut; square brackets mean what they say.
    console.print(words, highlight=False, markup=False, soft_wrap=True)
