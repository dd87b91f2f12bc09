"""Compare two evaluated models patient by patient."""

import argparse
from typing import Any

from lesionflow.cli.stores import add_workdir, settings_of
from lesionflow.errors import ConfigError

DRAWS, SEED = 10_000, 13


def add_commands(commands: Any) -> None:
    """Add `compare`."""
    compare = commands.add_parser("compare", help="is the second of two evaluated models better, by how much, how sure")
    words = "a run's id or name, MODEL/VERSION, an alias (champion), or the folder of an evaluation"
    compare.add_argument("first", metavar="RUN", help=words)
    compare.add_argument("second", metavar="RUN", help="the same; a gain says how much better this one is")
    again = "other trainings of the first, alike but for the seed: says how far a seed alone moves each figure"
    compare.add_argument("--repeats", metavar="RUN", nargs="+", default=[], help=again)
    compare.add_argument("--confidence", type=float, default=0.95, help="of intervals and verdict (default 0.95)")
    compare.add_argument("--draws", type=int, default=DRAWS, help=f"bootstrap draws of patients (default {DRAWS})")
    compare.add_argument("--seed", type=int, default=SEED, help=f"of the draws (default {SEED})")
    add_workdir(compare)
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
        settings_of(parsed).tracking_uri,
        n_bootstrap=parsed.draws,
        confidence_level=parsed.confidence,
        seed=parsed.seed,
        repeats=parsed.repeats,
    )
    console = Console()
    _say(
        console,
        f"{found.second} against {found.first}, paired by patient. Gains say how much better {found.second} is.",
    )
    for target in dict.fromkeys(d.target for d in found.differences):
        noise = {n.metric: n for n in found.seed_noise if n.target == target}
        _print_target(console, [d for d in found.differences if d.target == target], noise, parsed.confidence)
    return 0


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
    words = f"p by sign-flip test, corrected for {len(differences)} metrics (Holm)"
    _say(console, f"{confidence:.0%} intervals by bootstrap of patients; {words}.")


def _figure(value: float) -> str:
    return "–" if value != value else f"{value:.3g}"  # noqa: PLR0124


def _say(console: Any, words: str) -> None:
    # Lines are kept whole, so that they can be searched and cut; square brackets mean what they say.
    console.print(words, highlight=False, markup=False, soft_wrap=True)
