"""The params file of a workspace: taken over from a preset or a file, never over what somebody edited."""

import shutil
from pathlib import Path

from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS
from lesionflow.errors import ConfigError
from lesionflow.io.files import replacing_file, sha256_file, write_text

PARAMS = "params.yaml"
#: Holds the hash of what was taken over last: another hash means that somebody edited the file since.
TAKEN = ".params.sha256"


def take_params(folder: Path, source: Path, *, replace: bool = False) -> str:
    """Make a file the params of a workspace.

    Args:
        folder: The workspace.
        source: The params file.
        replace: Whether params that were edited give way.

    Returns:
        What was done, in a sentence; empty where nothing had to be.

    Raises:
        ConfigError: When the file is none, or would replace edited params and `replace` does not ask for it.
    """
    load_params(source)
    path, new = folder / PARAMS, sha256_file(source)
    is_new = not path.exists()
    if not is_new and sha256_file(path) == new:
        _remember(folder, new)
        return ""
    before = "" if is_new else describe_params(folder)
    if not is_new and not replace and is_edited(folder):
        raise ConfigError(
            f"Expected {path} to be as it was taken over, found {before}: {_name(source)} would replace it. Run without "
            "--params to use it as it is, or with --replace-params to replace it."
        )
    with replacing_file(path) as partial:
        shutil.copyfile(source, partial)
    _remember(folder, new)
    return f"{PARAMS} is {_name(source)}" + (f"; it was {before}" if before else "")


def require_params(folder: Path, source: Path) -> None:
    """Refuse other params than those that a workspace has.

    Raises:
        ConfigError: When it has others; they are named.
    """
    path = folder / PARAMS
    if path.exists() and sha256_file(path) != sha256_file(source):
        raise ConfigError(
            f"Expected {folder} to be new, or to have the params of {_name(source)}, found {describe_params(folder)} in "
            f"{path}. Nothing was changed. Edit that file, or name another folder; `lesionflow run --params` takes other "
            "params into a workspace."
        )


def is_edited(folder: Path) -> bool:
    """Tell whether a workspace's params are neither a preset nor what was taken over last."""
    digest = sha256_file(folder / PARAMS)
    return digest != _taken(folder) and not name_preset(folder / PARAMS)


def describe_params(folder: Path) -> str:
    """Say in words what the params of a workspace are."""
    if preset := name_preset(folder / PARAMS):
        return f"the preset {preset}"
    return "an edited file" if is_edited(folder) else "a file that was taken over before"


def name_preset(path: Path) -> str:
    """Return the name of the preset that a params file is, letter for letter; empty where it is none."""
    content = path.read_bytes()
    return next((preset.stem for preset in sorted(PRESETS.glob("*.yaml")) if preset.read_bytes() == content), "")


def _name(source: Path) -> str:
    return f"the preset {source.stem}" if source.parent == PRESETS else str(source)


def _remember(folder: Path, digest: str) -> None:
    if _taken(folder) != digest:
        write_text(folder / TAKEN, digest + "\n")


def _taken(folder: Path) -> str:
    path = folder / TAKEN
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else ""
