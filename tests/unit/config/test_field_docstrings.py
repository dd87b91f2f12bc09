"""Docstrings below fields are read from the source."""

from lesionflow.config.field_docstrings import field_docstrings


class Documented:
    """Not a field's."""

    first: int
    """One line."""
    second: str = "a"
    """Two
    lines."""
    silent: int
    last: float

    def method(self):
        inner: int = 3
        """Not a field's either."""
        return inner


def test_each_field_has_its_own_docstring_and_no_others():
    assert field_docstrings(Documented) == {"first": "One line.", "second": "Two lines."}
