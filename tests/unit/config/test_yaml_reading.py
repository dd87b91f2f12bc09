"""What we read of a params file is what DVC reads (ruamel.yaml, YAML 1.2), or it is refused by its line.

Met with other tools: treeverse/dvc#5971 (`1e-6` a text to one reader, a number to the other), treeverse/dvc#4664 (duplicate keys).
"""

import math
import time

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError as OtherError

from lesionflow.config.presets import PRESETS
from lesionflow.config.yaml_reading import read_yaml


def _dvc(text: str) -> object:
    return YAML(typ="safe").load(text)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("1e-3", "0.001"), ("1e3", "1000.0"), ("1.5e3", "1500.0"), ("1e-7", "1.0e-07"), ("010", "10"), ("-010", "-10"), ("0o10", "8"),
        ("09", "9"), ("on", "true or false"), ("NO", "true or false"), ("yes", "true or false"), ("12:30", "without colons"),
        ("-.5", "-0.5"), (".inf", "no finite"), ("-.INF", "no finite"), (".nan", "no finite"), ("1.0e+999", "no finite"),
        ("2020-01-01", "timestamp"), ("!!set {x}", "set"), ("!mine 1", "mine"), ("=", "value"),
    ],
)  # fmt: skip
def test_what_two_readers_take_differently_is_refused_by_its_line(written: str, hint: str) -> None:
    with pytest.raises(ValueError, match="line 2: ") as raised:
        read_yaml(f"a: 1\nb: {written}\n")
    assert hint in str(raised.value)


@pytest.mark.parametrize("written", ["1_000", "~", "", "0x1F", "0b11", ".5", "1.0e-3", "1.", "true", "y", '"on"', "'010'", "07", "0",
                                     "-0", "a b", "[1, {a: 2.5}]", "|\n  text\n  more"])  # fmt: skip
def test_what_both_take_alike_is_read(written: str) -> None:
    text = f"b: {written}\n"
    assert repr(read_yaml(text).values) == repr(_dvc(text))


_PLAIN = st.text(alphabet="0123456789_+-.:eExobnfyNaTru~", min_size=1, max_size=7)


@given(_PLAIN)
@example("0_7")
@example("1:60")
@example("0x_")
@example("_1")
@example("-_")
def test_no_plain_text_is_read_differently(plain: str) -> None:
    text = f"b: {plain}\n"
    try:
        ours = read_yaml(text).values
    except (ValueError, yaml.YAMLError):
        return
    try:
        theirs = _dvc(text)
    except (OtherError, ValueError):
        pytest.fail(f"DVC does not read {plain!r}, of which we make {ours!r}.")
    assert repr(ours) == repr(theirs), plain
    assert not isinstance(ours, dict) or not isinstance(ours["b"], float) or math.isfinite(ours["b"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: the key a stands twice, on line 1 too"),
        ("a:\n  b: 1\n  'b': 2\n", "line 3: the key b stands twice, on line 2 too"),
        ("- {x: 1, x: 1}\n", "line 1: the key x stands twice"),
        ("a: 1\n? [b]\n: 2\n", "line 2: a key is a list or a mapping"),
        ("a: 1\n? {b: 1}\n: 2\n", "line 2: a key is a list or a mapping"),
        ("a:\n  1: tumor\n", "line 2: the key 1 is no text"),
        ("on: 1\n", "line 1: on is read differently"),
        ("a: b\u2028c\n", "line 1: .*ends a line to YAML 1.1 alone"),
        ("a: &me [*me]\n", "stands for itself"),
    ],
)
def test_what_would_be_lost_is_refused_by_its_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_yaml(text)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"line 1: 1e-3 .*line 2: on .*line 3: the key a"):
        read_yaml("a: 1e-3\nb: on\na: 2\n")


def test_names_for_others_are_read_and_cannot_fill_the_memory() -> None:
    text = "a: &one {x: 1, y: 2}\nb: *one\nc: {<<: *one, y: 3}\n"
    assert read_yaml(text).values == _dvc(text) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 2}, "c": {"x": 1, "y": 3}}
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    began = time.monotonic()
    with pytest.raises(ValueError, match="more than 100000 values"):
        read_yaml("\n".join(levels))
    assert time.monotonic() - began < 60


def test_each_key_and_entry_has_its_line() -> None:
    found = read_yaml("a:\n  b: 1\n  c:\n    - 5\n    - {d: 6}\n")
    assert found.values == {"a": {"b": 1, "c": [5, {"d": 6}]}}
    assert found.lines == {
        ("a",): 1, ("a", "b"): 2, ("a", "c"): 3, ("a", "c", 0): 4, ("a", "c", 1): 5, ("a", "c", 1, "d"): 5,
    }  # fmt: skip


@pytest.mark.parametrize("path", sorted(PRESETS.glob("**/*.yaml")), ids=lambda path: path.stem)
def test_the_presets_and_their_sources_have_one_reading(path) -> None:
    text = path.read_text(encoding="utf-8")
    assert read_yaml(text).values == _dvc(text)
    assert read_yaml("").values is None
