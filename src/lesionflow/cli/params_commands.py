"""Params in words: one key, all keys, and the page of docs/params.md."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lesionflow.steps import STEPS

if TYPE_CHECKING:
    from lesionflow.config.reference import Key

#: Longer values are not shown in a table.
LONGEST_SHOWN = 60
HEAD = """\
# Params

Every key of params.yaml. Made by `make presets` from `src/lesionflow/config/sections`; a test checks that it is current.
`lesionflow params explain KEY` says the same of one key, with its value in each preset in full; [plan](plan.md),
[training](training.md), [data](data.md), [evaluation](evaluation.md) and [inference](inference.md) say why.

A preset is a whole file, made from `src/lesionflow/config/presets/sources`. A new key is a field of its section with its docstring and a
line in `sources/base.yaml`; then `make presets`.
"""


def add_commands(commands: Any) -> None:
    """Add `params explain` and `params reference`."""
    params = commands.add_parser("params", help="what the keys of params.yaml mean")
    actions = params.add_subparsers(title="actions", required=True, metavar="ACTION")
    explain = actions.add_parser("explain", help="what a key does, what it may be, its value in each preset")
    words = "dotted, as train.max_minutes, or a unique end of it; a section lists its keys, none lists all"
    explain.add_argument("key", nargs="?", help=words)
    explain.set_defaults(run=_explain)
    reference = actions.add_parser("reference", help="all keys as a page of Markdown")
    reference.set_defaults(run=_reference)


def _explain(parsed: argparse.Namespace) -> int:
    from lesionflow.config.reference import find_key, list_keys, read_presets

    keys = list_keys()
    within = [key for key in keys if parsed.key is None or key.path.startswith(f"{parsed.key}.")]
    if parsed.key is None or (within and not within[0].of_entries):
        sys.stdout.write("\n".join(_overview(within)) + "\n")
    else:
        presets = read_presets()
        key = find_key(parsed.key, keys, presets)
        entries = [other for other in keys if other.path.startswith(f"{key.path}.")]
        sys.stdout.write("\n".join(_explained(key, entries, presets)) + "\n")
    return 0


def _overview(keys: Sequence["Key"]) -> Iterator[str]:
    width = max(len(key.path) for key in keys)
    for name, step in STEPS.items():
        own = [key for key in keys if key.step == name]
        if own:
            yield f"{name}: {step.summary}"
        yield from (f"  {key.path:{width}}  {key.about}" for key in own)


def _explained(key: "Key", entries: Sequence["Key"], presets: Mapping[str, Any]) -> Iterator[str]:
    from lesionflow.config.reference import group_presets

    yield key.path
    yield f"  {key.about}"
    yield f"  may be      {key.allowed}"
    for entry in entries:
        yield f"              {entry.name}: {entry.allowed}. {entry.about}"
    yield f"  read by     {key.step}: {STEPS[key.step].summary}"
    if key.of_entries:
        yield f"  in presets  `lesionflow params explain {key.path.rpartition('.')[0]}` shows it"
    else:
        yield from _values(group_presets(key.path, presets))
    yield f"  if changed  {key.made_anew}"


def _values(grouped: dict[str, list[str]]) -> Iterator[str]:
    width = min(max(map(len, grouped), default=0), LONGEST_SHOWN)
    for number, (value, presets) in enumerate(grouped.items()):
        label = "" if number else "in presets"
        yield f"  {label:10}  {value:{width}}  {'all' if len(grouped) == 1 else ', '.join(presets)}"


def _reference(parsed: argparse.Namespace) -> int:
    del parsed
    sys.stdout.write(reference_page())
    return 0


def reference_page() -> str:
    """Return all keys as a page of Markdown: docs/params.md."""
    from lesionflow.config.reference import list_keys, read_presets

    lines = [HEAD]
    keys, presets = list_keys(), read_presets()
    for name, step in STEPS.items():
        own = [key for key in keys if key.step == name]
        lines += [
            f"## `{name}`",
            "",
            step.summary,
            "",
            "| key | what it does | may be | in presets |",
            "|---|---|---|---|",
        ]
        lines += [_row(key, presets) for key in own]
        lines += ["", *_changes(own)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(key: "Key", presets: Mapping[str, Any]) -> str:
    from lesionflow.config.reference import group_presets

    grouped = {} if key.of_entries else group_presets(key.path, presets)
    if any(len(value) > LONGEST_SHOWN for value in grouped):
        shown = "each its own" if len(grouped) > 1 else "long"
    else:
        shown = "; ".join(
            f"`{value}` {', '.join(names) if len(grouped) > 1 else ''}".strip() for value, names in grouped.items()
        )
    cells = (f"`{key.path.partition('.')[2]}`", key.about, f"`{key.allowed}`", shown)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _changes(keys: Sequence["Key"]) -> Iterator[str]:
    """Say what a change makes anew: once where it is the same for all keys of a section."""
    grouped: dict[str, list[str]] = {}
    for key in keys:
        grouped.setdefault(key.made_anew, []).append(f"`{key.path.partition('.')[2]}`")
    for sentence, names in grouped.items():
        which = f"one of {', '.join(names)}" if len(grouped) > 1 else "one of them" if len(keys) > 1 else "it"
        yield f"If {which} changes: {sentence[0].lower()}{sentence[1:]}"
        yield ""
