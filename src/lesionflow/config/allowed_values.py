"""Say in words what a key may be: from the JSON schema of the class that checks it, so that words and check agree."""

import re
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
#: What stands for a name chosen by the data set.
NAME = "name"
SCALARS = {"boolean": "true or false", "integer": "a whole number", "number": "a number", "string": "a text"}


def describe_allowed(schema: Schema) -> str:
    """Return what a value may be, in words.

    Args:
        schema: JSON schema of the value; a reference is to a class whose fields are keys of their own.
    """
    if "anyOf" in schema:
        return " or ".join(describe_allowed(choice) for choice in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return " or ".join(_shown(value) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return _list(schema)
    if schema.get("type") == "object":
        least = f", at least {schema['minProperties']}" if "minProperties" in schema else ""
        values = schema.get("additionalProperties")
        return f"{{{NAME}: {_entry(values)}, ...}}{least}"
    if schema.get("type") in SCALARS:
        return SCALARS[schema["type"]] + _bounds(schema)
    return "any value"


def describe_entry(schema: Schema) -> str:
    """Return what each value of a mapping may be, in words.

    Args:
        schema: JSON schema of the mapping.
    """
    return _entry(schema.get("additionalProperties"))


def _list(schema: Schema) -> str:
    items = schema.get("prefixItems")
    if items:
        entries = [describe_allowed(item) for item in items]
        if len(set(entries)) == 1:
            return f"[{len(entries)} entries, each {entries[0]}]"
        return f"[{', '.join(entries)}]"
    return f"[any number of entries, each {_entry(schema['items'])}]"


def _entry(schema: object) -> str:
    if not isinstance(schema, Mapping):
        return "any value"
    return "as below" if "$ref" in schema else describe_allowed(schema)


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    words = []
    if low is not None and high is not None:
        words.append(f"from {low:g} to {high:g}")
    elif low is not None:
        words.append(f"of at least {low:g}")
    words += [] if above is None else [f"above {above:g}"]
    words += [f"up to {high:g}"] if high is not None and low is None else []
    words += [] if below is None else [f"below {below:g}"]
    words += ["that is not empty"] if schema.get("minLength") == 1 else []
    words += [f"that matches {schema['pattern']}"] if "pattern" in schema else []
    return f" {' and '.join(words)}" if words else ""


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def show_value(value: object) -> str:
    """Write a value on one line, as params.yaml may hold it.

    Args:
        value: Of plain types.

    Returns:
        YAML in flow style; numbers so that YAML 1.1 takes them for numbers.
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {show_value(own)}' for name, own in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(show_value, value))}]"
    if isinstance(value, float):
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))
    if isinstance(value, str):
        return value if re.fullmatch(r"[A-Za-z_][\w./@-]*", value) and value != "off" else f'"{value}"'
    return _shown(value)
