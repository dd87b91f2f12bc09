"""What a key may be, in words made from JSON schemas written here by hand; and values as YAML reads them back."""

import pytest
import yaml
from ruamel.yaml import YAML

from lesionflow.config.allowed_values import describe_allowed, describe_entry, show_value

WHOLE = {"type": "integer", "minimum": 1}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "boolean"}, "true or false"),
        ({"type": "integer"}, "a whole number"),
        ({"type": "number", "minimum": 0.0, "maximum": 1.0}, "a number from 0 to 1"),
        ({"type": "number", "minimum": 0.25}, "a number of at least 0.25"),
        ({"type": "number", "maximum": 9}, "a number up to 9"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "a number above 0 and below 1"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "a number above 0 and up to 1"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "a number of at least 0 and below 1"),
        ({"type": "string", "minLength": 1}, "a text that is not empty"),
        ({"type": "string", "pattern": "^a|b$"}, "a text that matches ^a|b$"),
        ({"enum": [1, 3, 5]}, "1 or 3 or 5"),
        ({"anyOf": [WHOLE, {"const": "auto"}]}, "a whole number of at least 1 or auto"),
        ({"type": "array", "prefixItems": [WHOLE, WHOLE]}, "[2 entries, each a whole number of at least 1]"),
        ({"type": "array", "prefixItems": [WHOLE, {"type": "number"}]}, "[a whole number of at least 1, a number]"),
        ({"type": "array", "items": {"$ref": "#/$defs/Rule"}}, "[any number of entries, each as below]"),
        ({"type": "object", "additionalProperties": WHOLE}, "{name: a whole number of at least 1, ...}"),
        ({"type": "object", "additionalProperties": True, "minProperties": 1}, "{name: any value, ...}, at least 1"),
        ({}, "any value"),
    ],
)  # fmt: skip
def test_a_schema_in_words(schema, words):
    assert describe_allowed(schema) == words


@pytest.mark.parametrize(
    "value",
    [3e-5, 1e-4, 1e22, 0.003, 0.0, 2, True, "auto", "off", "", "(?i)gtv.*", [], [1, "auto", 4.0], {"CT": {"kind": "ct", "n": [0.5]}}],
)  # fmt: skip
def test_a_value_shown_is_read_back_as_it_was_by_both_yamls(value):
    shown = show_value(value)
    assert "\n" not in shown
    for read in (yaml.safe_load, YAML(typ="safe").load):
        assert (read(shown), type(read(shown))) == (value, type(value))


def test_what_a_mappings_values_may_be_is_told_apart_from_the_mapping() -> None:
    schema = {"type": "object", "additionalProperties": {"enum": ["fail", "off"]}}
    assert describe_allowed(schema) == "{name: fail or off, ...}"
    assert describe_entry(schema) == "fail or off"
