"""Read a YAML file as strictly as two readers agree on it.

DVC reads params.yaml by YAML 1.2, PyYAML by 1.1: `1e-3`, `010`, `on` and `12:30` are other values to each, so that DVC would track
what no step gets. What they read differently is refused by its line, and so is what would be lost without a word: a key that stands
twice, of which YAML keeps one.

References:
    YAML 1.2.2, chapter 10.3 (core schema) and 3.2.1.3 (keys are unique); the patterns below are those that ruamel.yaml follows.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

KeyPath = tuple[str | int, ...]
TAG = "tag:yaml.org,2002:"
STRING, INTEGER, FLOAT, BOOLEAN, NULL, MERGE = (
    f"{TAG}{name}" for name in ("str", "int", "float", "bool", "null", "merge")
)
KNOWN = {STRING, INTEGER, FLOAT, BOOLEAN, NULL, MERGE, f"{TAG}map", f"{TAG}seq"}
#: What YAML 1.2 takes for true and false, for a whole number and for a number, where the first sign is one of those.
BOOLEAN_1_2 = re.compile(r"true|True|TRUE|false|False|FALSE")
INTEGER_1_2 = re.compile(r"[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+")
FLOAT_1_2 = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.[0-9_]+([eE][-+][0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
NUMBERS_BEGIN = "-+0123456789."
#: To YAML 1.1 alone these end a line.
OTHER_LINE_BREAKS = re.compile("[\x85\u2028\u2029]")
#: Names for others (`*name`) may stand for so many that a small file fills the memory.
MAX_NODES, MAX_DEPTH = 100_000, 64


class YamlFile(NamedTuple):
    """What a file holds, as plain values; and the line of each key and entry, by its place, such as `("train", "loss")`."""

    values: Any
    lines: Mapping[KeyPath, int]


def read_yaml(text: str) -> YamlFile:
    """Read one YAML document.

    Args:
        text: The file's.

    Returns:
        Its values and their lines.

    Raises:
        ValueError: When the two versions of YAML differ on it, a key stands twice or is none, a number is not finite, or a value is of a
            type that params do not know; every such fault is named with its line.
        yaml.YAMLError: When it is no YAML.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = compose(text, loader)
        lines = dict(_lines(node, ()))
        # Names for others are resolved now, which changes the nodes.
        return YamlFile(None if node is None else loader.construct_document(node), lines)
    finally:
        loader.dispose()


def compose(text: str, loader: yaml.SafeLoader) -> yaml.Node | None:
    """Return the document's node, where two readers take it alike and nothing of it is lost; see `read_yaml`.

    Args:
        text: The file's.
        loader: Of the text.

    Raises:
        ValueError: Naming every fault with its line.
        yaml.YAMLError: When it is no YAML.
    """
    # First: where they end a line, one reader may see no YAML at all.
    _refuse(
        (text.count("\n", 0, found.start()) + 1, f"{found[0]!r} ends a line to YAML 1.1 alone; take it out")
        for found in OTHER_LINE_BREAKS.finditer(text)
    )
    node: yaml.Node | None = loader.get_single_node()
    _refuse(() if node is None else _faults(node))
    return node


def _refuse(faults: Iterable[tuple[int, str]]) -> None:
    if said := "; ".join(f"line {line}: {fault}" for line, fault in sorted(faults)):
        raise ValueError(said)


def _faults(root: yaml.Node) -> Iterator[tuple[int, str]]:
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.tag not in KNOWN:
            yield (
                _line(node),
                f"{_shown(node)} is of the type {node.tag.removeprefix(TAG)}, which params do not know; write it in quotes",
            )
        if isinstance(node, yaml.ScalarNode):
            yield from ((_line(node), fault) for fault in _scalar_faults(node))
        elif isinstance(node, yaml.MappingNode):
            yield from _key_faults(node)
            waiting += [one for pair in node.value for one in pair]
        else:
            waiting += node.value


def _key_faults(node: yaml.MappingNode) -> Iterator[tuple[int, str]]:
    first: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            yield _line(key), "a key is a list or a mapping; write a name"
        elif key.tag not in {STRING, MERGE}:
            yield _line(key), f"the key {key.value} is no text; write it in quotes"
        elif key.value in first:
            yield _line(key), f"the key {key.value} stands twice, on line {first[key.value]} too; take one out"
        else:
            first[key.value] = _line(key)


def _scalar_faults(node: yaml.ScalarNode) -> Iterator[str]:
    if node.style is not None or node.tag not in KNOWN:
        return
    newer = _tag_1_2(node.value) if node.tag not in {NULL, MERGE} else node.tag
    if newer != node.tag or (newer == INTEGER and _integer_1_1(node.value) != _integer_1_2(node.value)):
        yield f"{node.value} is read differently by YAML 1.1 and 1.2, which DVC follows; write {_clear(node)}"
    elif node.tag == FLOAT and not math.isfinite(_float(node.value)):
        yield f"{node.value} is no finite number; write one"


def _tag_1_2(text: str) -> str:
    """Return what YAML 1.2 takes a plain text for."""
    if BOOLEAN_1_2.fullmatch(text):
        return BOOLEAN
    if text[:1] in NUMBERS_BEGIN and text:
        if FLOAT_1_2.fullmatch(text):
            return FLOAT
        if INTEGER_1_2.fullmatch(text):
            return INTEGER
    return STRING


def _integer_1_1(text: str) -> int | None:
    plain = text.replace("_", "")
    digits = plain.lstrip("+-")
    value = _integer(digits, 8 if digits.startswith("0") and digits.isdigit() else 0)
    return -value if value is not None and plain.startswith("-") else value


def _integer_1_2(text: str) -> int | None:
    plain = text.replace("_", "")
    digits = plain.lstrip("+-")
    value = _integer(digits, 10 if digits.isdigit() else 0)
    return -value if value is not None and plain.startswith("-") else value


def _integer(digits: str, base: int) -> int | None:
    try:
        return int(digits, base)
    except ValueError:
        return None


def _float(text: str) -> float:
    plain = text.replace("_", "").lower()
    if plain.lstrip("+-") in {".inf", ".nan"}:
        return math.inf
    return float(plain)


def _clear(node: yaml.ScalarNode) -> str:
    """Return what to write so that both versions agree."""
    if node.tag == BOOLEAN:
        return f'true or false, or "{node.value}" for the text'
    newer = _tag_1_2(node.value)
    if newer == FLOAT:
        # `1e-05` is a text to YAML 1.1.
        number = re.sub(r"^(-?[0-9]+)e", r"\1.0e", repr(_float(node.value)))
        return f'{number}, or "{node.value}" for the text'
    value = _integer_1_2(node.value) if newer == INTEGER else "a number without colons"
    # `-_` is a number without a digit to one reader.
    return f'"{node.value}" for the text' if value is None else f'{value}, or "{node.value}" for the text'


def _lines(node: yaml.Node | None, place: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    waiting: list[tuple[KeyPath, yaml.Node]] = [] if node is None else [(place, node)]
    n_nodes = 0
    while waiting:
        where, at = waiting.pop()
        n_nodes += 1
        if n_nodes > MAX_NODES or len(where) > MAX_DEPTH:
            raise ValueError(
                f"line {_line(at)}: more than {MAX_NODES} values or {MAX_DEPTH} levels, or a name for another (*name) that stands for itself"
            )
        if isinstance(at, yaml.MappingNode):
            for key, value in at.value:
                below = (*where, key.value)
                yield below, _line(key)
                waiting.append((below, value))
        elif isinstance(at, yaml.SequenceNode):
            for number, entry in enumerate(at.value):
                yield (*where, number), _line(entry)
                waiting.append(((*where, number), entry))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _shown(node: yaml.Node) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else "this"
