"""The presets, whole params files, and how one is found by its name. What a section may hold belongs to `config.sections`."""

import difflib
from pathlib import Path

from lesionflow.errors import ConfigError

#: The presets that ship with the package, each a whole params file, made by `build` from `sources/`.
PRESETS = Path(__file__).resolve().parent
#: Of a name that is none, so much is said again.
LONGEST_SAID = 200


def find_params(name: str) -> Path:
    """Return the params file that a user means.

    Args:
        name: A path, or the name of a preset with or without `.yaml`.

    Raises:
        ConfigError: When there is neither; the message offers the nearest preset.
    """
    path = Path(name)
    for file in (path, PRESETS / f"{path.name.removesuffix('.yaml')}.yaml"):
        if _is_file(file):
            return file.absolute()
    known = sorted(p.stem for p in PRESETS.glob("*.yaml"))
    near = difflib.get_close_matches(path.stem[:LONGEST_SAID], known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigError(
        f"Expected a params file or one of the presets {', '.join(known)}, found {name[:LONGEST_SAID]!r}.{hint}"
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system takes
        return False
