"""Make the presets, whole params files, from what most of them share and what each says for itself.

python -m lesionflow.config.presets.build

`sources/base.yaml` holds what at least half of the presets hold; `sources/<preset>.yaml` what differs there, and what the base leaves
to each. A preset's mapping is laid over the base's key by key, as deep as keys have a meaning of their own. Lists, and the mappings of
`REPLACED_WHOLE`, whose names each data set or network chooses for itself, are replaced as a whole: a channel of the base never
mixes with a preset's.
"""

import sys
from pathlib import Path

import yaml

from lesionflow.config.loading import check_params
from lesionflow.config.presets import PRESETS
from lesionflow.config.sections import Params
from lesionflow.config.sections.section import Section
from lesionflow.config.yaml_reading import compose, read_yaml
from lesionflow.errors import ConfigError

SOURCES = PRESETS / "sources"
BASE = SOURCES / "base.yaml"
#: Mappings whose names are free, by their dotted key.
REPLACED_WHOLE = ("ingest.channels", "ingest.labels", "ingest.regions", "plan.architecture.options")
#: Longer than any line, so that none is broken.
WIDTH = 10_000
MADE = "# Made from sources/base.yaml and sources/{name}.yaml by `make presets`: the package's own are changed there, a copy here.\n"

Items = list[tuple[yaml.Node, yaml.Node]]


def make_presets(sources: Path = SOURCES) -> dict[str, str]:
    """Make the text of every preset.

    Nodes of YAML are merged, not values, so that numbers and quotes stay as they are written: `1.0e-3` is a number to readers
    of YAML 1.1 and 1.2 alike, the `1e-3` of a dump is not.

    Args:
        sources: Holds `base.yaml` and a file for each preset.

    Returns:
        The texts by the presets' names.

    Raises:
        ConfigError: When a source can't be read, or a preset does not fit `Params`: a key that neither source gives is named.
    """
    return {path.stem: _make_preset(path) for path in sorted(sources.glob("*.yaml")) if path.name != BASE.name}


def merge_sources(own: Path, kind: type[Section]) -> tuple[str, str]:
    """Lay a source over the `base.yaml` beside it.

    Args:
        own: The source; it may be the base itself.
        kind: The class whose fields say the order of keys.

    Returns:
        The source's first line, which says what it is for, and the merged YAML.

    Raises:
        ConfigError: When a source can't be read.
    """
    merged = _in_order(_laid_over(_compose(own.with_name(BASE.name)), _compose(own), ""), kind)
    body = yaml.serialize(merged, Dumper=_Dumper, width=WIDTH, allow_unicode=True)
    purpose, _, _ = own.read_text(encoding="utf-8").partition("\n")
    return purpose, body


def _make_preset(path: Path) -> str:
    purpose, body = merge_sources(path, Params)
    check_params(read_yaml(body).values, f"Preset {path.stem}, of {path.parent}")
    return f"{purpose}\n{MADE.format(name=path.stem)}{body}"


def _compose(path: Path) -> yaml.MappingNode:
    try:
        text = path.read_text(encoding="utf-8")
        node = compose(text, yaml.SafeLoader(text))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"Expected a readable YAML file at {path}, found: {error}.") from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"Expected a mapping of sections in {path}, found {node}.")
    return node


def _laid_over(base: yaml.MappingNode, own: yaml.MappingNode, where: str) -> yaml.MappingNode:
    items = {key.value: (key, value) for key, value in base.value}
    for key, value in own.value:
        below = items.get(key.value, (key, None))[1]
        path = f"{where}{key.value}"
        mergeable = isinstance(below, yaml.MappingNode) and isinstance(value, yaml.MappingNode)
        merged = _laid_over(below, value, f"{path}.") if mergeable and path not in REPLACED_WHOLE else value
        items[key.value] = (key, merged)
    return _like(base, list(items.values()))


def _in_order(node: yaml.MappingNode, kind: type[Section]) -> yaml.MappingNode:
    """Put keys in the order of the sections' fields: sources may leave out any of them."""
    fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    sections = {name: below for name, below in fields.items() if isinstance(below, type) and issubclass(below, Section)}
    ranks = {name: rank for rank, name in enumerate(fields)}
    items: Items = []
    for key, value in sorted(node.value, key=lambda item: ranks.get(item[0].value, len(ranks))):
        below = sections.get(key.value)
        items.append((key, _in_order(value, below) if below and isinstance(value, yaml.MappingNode) else value))
    return _like(node, items)


def _like(node: yaml.MappingNode, items: Items) -> yaml.MappingNode:
    return yaml.MappingNode(node.tag, items, flow_style=node.flow_style)


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's own signature
        super().increase_indent(flow, False)


def main() -> int:
    """Write the presets beside this module, and their change plans; say which changed."""
    from lesionflow.config.presets.change_plans.build import make_change_plans

    made = {f"{name}.yaml": text for name, text in make_presets().items()}
    made |= {f"change_plans/{name}.yaml": text for name, text in make_change_plans().items()}
    for name, text in made.items():
        path = PRESETS / name
        path.parent.mkdir(exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}: {'as before' if text == before else 'made anew'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
