"""The tables of these pages that repeat what the code says. `make made` makes them anew, where they stand.

In a page, a table stands between `<!-- made: NAME -->` and `<!-- end -->`, its name a key of `TABLES`.
"""

import importlib
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lesionflow.io.layouts.recognition import READERS
from lesionflow.metrics import METRICS
from lesionflow.models import ARCHITECTURES
from lesionflow.serving.results.formats import ANSWERS, REPORT_ANSWERS, Answer
from lesionflow.training.losses import LOSSES

PAGES = Path(__file__).parent
TESTS = PAGES.parent / "tests"
MADE = re.compile(r"(<!-- made: (?P<name>.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
BETTER = {1: "more", -1: "less", 0: "neither"}


def metrics() -> str:
    """Return every metric: what it is by its docstring, its unit and bounds, and what empty masks give."""
    rows = []
    for name, metric in METRICS.items():
        bounds = f"{_number(metric.lower)} to {_number(metric.upper)}"
        rows.append(
            (f"`{name}`", _sentence(metric.figure), metric.unit, bounds, BETTER[metric.direction], metric.empty)
        )
    return _table(("metric", "what", "unit", "from, to", "better", "empty masks"), rows)


def networks() -> str:
    """Return every network of `plan.architecture.name`."""
    rows = []
    for name, network in ARCHITECTURES.items():
        before = f"; `{'`, `'.join(network.formerly)}` in older plans" if network.formerly else ""
        dimensions = ", ".join(map(str, network.dimensions))
        rows.append((f"`{name}`", dimensions, network.what + before, network.weights))
    return _table(("name", "dimensions", "what", "weights"), rows)


def losses() -> str:
    """Return every loss of `train.loss`."""
    return _table(("name", "what is minimized"), [(f"`{name}`", _sentence(loss)) for name, loss in LOSSES.items()])


def input_layouts() -> str:
    """Return every layout of `ingest.layout`, in the order in which they are looked for."""
    rows = [
        (f"`{name}`", reader.recognized_by, reader.channels_by, reader.values_by) for name, reader in READERS.items()
    ]
    return _table(("layout", "recognized by", "channels are told by", "what the mask's values mean"), rows)


def output_formats() -> str:
    """Return what the service answers with; `predict --format` takes the same but the report."""
    return _answers(ANSWERS)


def report_formats() -> str:
    """Return what the service gives of a report alone; `predict -o` writes the same."""
    return _answers(REPORT_ANSWERS)


def _answers(answers: Mapping[str, Answer]) -> str:
    rows = []
    for number, (name, answer) in enumerate(answers.items()):
        accepted = [*answer.accepted, *(["*/*"] if number == 0 else [])]
        rows.append((f"`{name}`", _codes(accepted), _codes([answer.file_name or ""]), answer.summary))
    return _table(("`?format=`", "`Accept`", "file", "answer"), rows)


def reported_faults() -> str:
    """Return every condition of the corpus, by kind: what was met, what lesionflow does, and who told of it."""
    corpus, told = _of_tests("faults.corpus"), _of_tests("faults.corpus.fault").PROJECTS
    chapters = []
    for kind, faults in corpus.KINDS.items():
        rows = [(f"`{f.name}`", _cell(f.met), _cell(f.answer), _source(f.source, told)) for f in faults]
        if rows:
            chapters.append(
                f"\n## {kind}\n\n{_table(('condition', 'what was met', 'what lesionflow does', 'told by'), rows)}"
            )
    n_told = sum(1 for fault in corpus.FAULTS if "#" in fault.source)
    return f"{len(corpus.FAULTS)} conditions; {n_told} of them from a public tracker.\n{''.join(chapters)}\n"


def _of_tests(module: str) -> Any:
    """Import from `tests`, which is no package of the product."""
    if str(TESTS) not in sys.path:
        sys.path.append(str(TESTS))
    return importlib.import_module(module)


def _source(source: str, projects: Mapping[str, str]) -> str:
    project, _, number = source.partition("#")
    home = project if "/" in project else projects.get(project, "")
    if not home or not number.isdigit():
        return _cell(source)
    return f"[{home.partition('/')[2]}#{number}](https://github.com/{home}/issues/{number})"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


#: By the name in a page's mark.
TABLES: Mapping[str, Callable[[], str]] = {
    "metrics": metrics,
    "networks": networks,
    "losses": losses,
    "input layouts": input_layouts,
    "output formats": output_formats,
    "report formats": report_formats,
    "reported faults": reported_faults,
}


def remake(page: str) -> str:
    """Return a page with its tables as the code has them now.

    Raises:
        KeyError: When a mark names no table.
    """
    return MADE.sub(lambda found: f"{found[1]}\n{TABLES[found['name']]()}\n{found[3]}", page)


def main() -> None:
    """Remake the tables of every page; name the pages that changed."""
    for path in sorted(PAGES.rglob("*.md")):
        old = path.read_text(encoding="utf-8")
        new = remake(old)
        if new != old:
            path.write_text(new, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(PAGES)}\n")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = tuple(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _sentence(function: Callable[..., Any]) -> str:
    """Return the first line of a function's docstring, and what a part of its arguments is held at."""
    inner, held = (function.func, function.keywords) if isinstance(function, partial) else (function, {})
    text = (inner.__doc__ or "").partition("\n")[0].replace("|", r"\|")
    return text + "".join(f" Here {name} is {value}." for name, value in held.items())


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts if text)


def _number(value: float) -> str:
    return f"{value:g}" if math.isfinite(value) else ("∞" if value > 0 else "-∞")


if __name__ == "__main__":
    main()
