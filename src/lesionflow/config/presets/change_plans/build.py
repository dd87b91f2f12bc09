"""Make the presets' change plans from what most of them share and what each says for itself, each key with what it means above it.

`python -m lesionflow.config.presets.build` writes them with the presets.
"""

import textwrap
from pathlib import Path

from lesionflow.config.change_plan import ChangePlan
from lesionflow.config.field_docstrings import field_docstrings
from lesionflow.config.loading import check_section
from lesionflow.config.presets.build import BASE, SOURCES, merge_sources
from lesionflow.config.presets.change_plans import ANY
from lesionflow.config.yaml_reading import read_yaml

CHANGE_PLAN_SOURCES = SOURCES / "change_plans"
MADE = """\
# What a retrained model may change, and what it must show before it replaces the champion. Look at it before you train: afterwards it is too late
# to choose by what a model is judged. Docs: change-plan.md. Made from sources/change_plans by `make presets`: the package's own are changed
# there, a copy here.
"""
WIDTH = 118


def make_change_plans(sources: Path = CHANGE_PLAN_SOURCES) -> dict[str, str]:
    """Make the text of every preset's change plan, and of the one for any params.

    Args:
        sources: Holds `base.yaml` and a file for each preset.

    Returns:
        The texts by the presets' names.

    Raises:
        ConfigError: When a source can't be read, or a plan does not fit `ChangePlan`.
    """
    return {ANY if path.name == BASE.name else path.stem: _make(path) for path in sorted(sources.glob("*.yaml"))}


def _make(path: Path) -> str:
    purpose, body = merge_sources(path, ChangePlan)
    check_section(read_yaml(body).values, ChangePlan, f"Change plan {path.stem}, of {path.parent}")
    told = field_docstrings(ChangePlan)
    lines = [purpose, *MADE.splitlines()]
    for line in body.splitlines():
        key = line.partition(":")[0]
        if key in told:
            lines += ["", *(f"# {words}" for words in textwrap.wrap(told[key], WIDTH))]
        lines.append(line)
    return "\n".join(lines) + "\n"
