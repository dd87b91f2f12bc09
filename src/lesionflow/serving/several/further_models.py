"""Reads `LESIONFLOW_MORE_MODELS`: which models are served beside the main one."""

import re
from pathlib import Path
from typing import NamedTuple

#: What can stand in `?model=`, with a version behind a slash.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,199}")
FORMS = "NAME, NAME/ALIAS-OR-VERSION, /FOLDER or NAME=/FOLDER, with commas between"


class FurtherModel(NamedTuple):
    """A model that is served beside the main one.

    Args:
        name: The registered model; of a bundle's folder, what it is called here.
        model: An alias, a version number, or the folder of a bundle.
    """

    name: str
    model: str


def further_models(text: str, main_name: str | None) -> tuple[FurtherModel, ...]:
    """Return what a list of models names.

    Args:
        text: As `FORMS`; without alias or version, the champion is meant; a folder without a name is called as it is itself.
        main_name: The name of the main model, which no other may have.

    Raises:
        ValueError: When an entry can't be understood, two have one name, or the main one has none.
    """
    found = tuple(_one(entry.strip()) for entry in text.split(",") if entry.strip())
    if found and not main_name:
        raise ValueError(
            "expected LESIONFLOW_MODEL_NAME beside it, found none: among several, the main model needs a name to be asked for by"
        )
    names = [main_name, *(each.name for each in found)]
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise ValueError(f"expected each model once, found {', '.join(twice)} twice: one alias of a name is served")
    return found


def _one(entry: str) -> FurtherModel:
    called, named, folder = entry.rpartition("=")
    if named or entry.startswith(("/", ".")):
        made = FurtherModel(called.strip() if named else Path(folder).name, folder.strip())
        if not Path(made.model).is_dir():
            raise ValueError(f"expected the folder of a bundle, found none at {made.model!r}")
        understood = True
    else:
        name, _, model = entry.partition("/")
        made = FurtherModel(name, model or "champion")
        understood = "/" not in made.model
    if not understood or not NAME.fullmatch(made.name):
        raise ValueError(f"expected {FORMS}, found {entry!r:.200}")
    return made
