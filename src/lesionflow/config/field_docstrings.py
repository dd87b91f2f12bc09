"""Read the docstrings below the fields of a class.

Only when somebody asks: pydantic's `use_attribute_docstrings` reads the sources whenever the classes are made, which would add 50 ms to
the start of every command and worker.
"""

import ast
import inspect
import textwrap
from itertools import pairwise


def field_docstrings(kind: type) -> dict[str, str]:
    """Return the docstring of each field that has one.

    Args:
        kind: A class whose source is at hand.

    Returns:
        The docstrings by the fields' names, each as one paragraph.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    found = {}
    for field, below in pairwise(ast.iter_child_nodes(tree.body[0])):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value) if isinstance(below.value, ast.Constant) else None
            if isinstance(text, str):
                found[field.target.id] = " ".join(text.split())
    return found
