"""Every key of params.yaml: what it does, what it may be, what its change makes anew, and its value in each preset."""

import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple, TypeGuard, get_args

import yaml

from lesionflow.config.allowed_values import describe_allowed, describe_entry, show_value
from lesionflow.config.field_docstrings import field_docstrings
from lesionflow.config.presets import PRESETS
from lesionflow.config.sections import Params
from lesionflow.config.sections.section import MadeAnew, Section
from lesionflow.errors import ConfigError

#: Names less alike than this (1: the same) are not offered, nor are those less alike than the best by more than the margin.
NEAR, MARGIN, MOST_OFFERED = 0.75, 0.05, 4
#: No key is longer; to compare with what is takes minutes.
LONGEST_NAME = 100


class Key(NamedTuple):
    """One key of params.yaml.

    `path` is dotted. `of_entries`: a field of each entry of a list or of a mapping, such as `ingest.channels.kind`, which has no
    value of its own. `allowed_entry`: what each value may be, where it is a mapping.
    """

    path: str
    about: str
    allowed: str
    made_anew: MadeAnew
    of_entries: bool = False
    allowed_entry: str = ""

    @property
    def step(self) -> str:
        """The step that reads it: each reads the section of its name."""
        return self.path.partition(".")[0]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


def list_keys() -> tuple[Key, ...]:
    """Return every key, in the order of the sections' fields."""
    return tuple(_keys_of(Params, "", None, of_entries=False))


def find_key(name: str, keys: Sequence[Key], presets: Mapping[str, Any]) -> Key:
    """Return the key that a user means.

    Args:
        name: Its dotted path, the end of it if no other key ends so, or that of a name in a mapping (`validate.severity.drift`).
        keys: All keys.
        presets: What `read_presets` returns: they tell which names a mapping may hold.

    Raises:
        ConfigError: When there is none, or several; the message offers them, or the nearest.
    """
    exact = [key for key in keys if key.path == name]
    found = exact or [key for key in keys if key.path.endswith(f".{name}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"Expected one key, found {len(found)} of this name: {_listed(found)}. Name one of them.")
    above = [key for key in keys if name.startswith(f"{key.path}.")]
    if above and group_presets(name, presets):
        return above[-1]._replace(path=name, allowed=above[-1].allowed_entry)
    near = _nearest(name, keys) if len(name) <= LONGEST_NAME else []
    hint = f"Did you mean {_listed(near)}?" if near else "`lesionflow params explain` lists all."
    raise ConfigError(f"Expected a key of params.yaml, found {name[:LONGEST_NAME]!r}. {hint}")


def _nearest(name: str, keys: Sequence[Key]) -> list[Key]:
    """Return the keys that are nearly as alike as the one most alike, by path or by name alone."""
    last = name.rpartition(".")[2]
    name, last = name.lower(), last.lower()
    alike = {key: max(_likeness(name, key.path), _likeness(last, key.name)) for key in keys}
    best = max(alike.values())
    return [key for key in keys if alike[key] >= max(NEAR, best - MARGIN)][:MOST_OFFERED]


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def read_presets() -> dict[str, Any]:
    """Return the content of every preset by its name."""
    # C's parser takes a tenth of the time, which is felt at the command line.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = sorted(PRESETS.glob("*.yaml"))
    return {file.stem: yaml.load(file.read_text(encoding="utf-8"), Loader=loader) for file in files}  # noqa: S506 - a safe one


def group_presets(path: str, presets: Mapping[str, Any]) -> dict[str, list[str]]:
    """Group presets by the value that a key has in them.

    Args:
        path: Dotted.
        presets: What `read_presets` returns.

    Returns:
        Names of presets by value, as one line of YAML; empty where none has the key.
    """
    grouped: dict[str, list[str]] = {}
    for preset, content in presets.items():
        try:
            value: Any = reduce(lambda found, name: found[name], path.split("."), content)
        except (KeyError, TypeError):
            continue
        grouped.setdefault(show_value(value), []).append(preset)
    return grouped


def _keys_of(kind: type[Section], where: str, above: MadeAnew | None, *, of_entries: bool) -> Iterator[Key]:
    """Go through a section; fields of entries are those of their key, and so is what their change makes anew."""
    told, schema = field_docstrings(kind), kind.model_json_schema()["properties"]
    own = getattr(kind, "made_anew", above)
    for field_name, field in kind.model_fields.items():
        name = field.alias or field_name
        path = f"{where}{name}"
        if _is_section(field.annotation):
            yield from _keys_of(field.annotation, f"{path}.", own, of_entries=of_entries)
            continue
        made_anew = next((mark for mark in field.metadata if isinstance(mark, MadeAnew)), own)
        if made_anew is None:
            raise ConfigError(f"Expected {kind.__name__} to say what a change of {path} makes anew, found nothing.")
        allowed, entry = describe_allowed(schema[name]), describe_entry(schema[name])
        yield Key(path, told.get(field_name, ""), allowed, made_anew, of_entries, entry)
        for entry in filter(_is_section, get_args(field.annotation)):
            yield from _keys_of(entry, f"{path}.", made_anew, of_entries=True)


def _is_section(annotation: Any) -> TypeGuard[type[Section]]:
    return inspect.isclass(annotation) and issubclass(annotation, Section)


def _listed(keys: Sequence[Key]) -> str:
    return ", ".join(key.path for key in keys)
