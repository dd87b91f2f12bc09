"""Let the reference know the fields of named tuples and pydantic models, as it knows those of data classes.

Without this, each field that a docstring explains under `Args` would count as a parameter that does not exist; with it, a
field that was renamed in the code and not in its docstring fails the build.
"""

from typing import Any

from griffe import Attribute, Class, Extension, Function, Parameter, ParameterKind, Parameters


class Records(Extension):
    """Gives each class that has annotated fields, and nothing else that makes it, the `__init__` of these fields."""

    def on_class(self, *, cls: Class, **_: Any) -> None:
        """Make the `__init__`, where neither the class nor `dataclass` makes one."""
        fields = [member for member in cls.members.values() if isinstance(member, Attribute) and member.annotation]
        if not fields or "__init__" in cls.members or any("dataclass" in str(one.value) for one in cls.decorators):
            return
        kind = ParameterKind.positional_or_keyword
        parameters = [Parameter(one.name, annotation=one.annotation, kind=kind, default=one.value) for one in fields]
        cls.set_member(
            "__init__",
            Function("__init__", parent=cls, parameters=Parameters(Parameter("self", kind=kind), *parameters)),
        )
