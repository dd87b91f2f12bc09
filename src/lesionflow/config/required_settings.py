"""What whoever started this process says that it needs: looked for before anything is done, and missed by name."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from lesionflow.errors import ConfigError

#: A JSON object: where a setting comes from, in words, by the variable or the absolute path of the file that holds it.
REQUIRED = "LESIONFLOW_REQUIRED"


def statement_of(required: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that states what a process needs; nothing where it needs nothing.

    Args:
        required: In words where each setting comes from, by the variable or the absolute path of the file that holds it.
    """
    return {REQUIRED: json.dumps(dict(required), sort_keys=True)} if required else {}


def require_stated_settings(environment: Mapping[str, str] | None = None) -> None:
    """Refuse to begin without a setting that `LESIONFLOW_REQUIRED` names.

    On a cluster a Secret that is not there leaves a variable unset or a folder empty; the pod begins all the same, so that this says which,
    where Kubernetes would hold the pod back until its time is over.

    Args:
        environment: Of this process; another one in tests.

    Raises:
        ConfigError: It names each setting that is missing or empty and where it should come from, never a value.
    """
    given = os.environ if environment is None else environment
    stated = given.get(REQUIRED, "")
    if not stated:
        return
    try:
        required = {str(name): str(source) for name, source in json.loads(stated).items()}
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"Expected a JSON object in {REQUIRED}, found none. Mend what starts this step.") from error
    missing = [f"{name} ({source})" for name, source in required.items() if not _is_there(name, given)]
    if missing:
        raise ConfigError(
            f"Expected {len(required)} settings that this step needs, found {len(missing)} missing or empty: {', '.join(missing)}. Create "
            "them where the brackets say, and start the step again."
        )


def _is_there(name: str, environment: Mapping[str, str]) -> bool:
    if name.startswith("/"):
        path = Path(name)
        return path.is_file() and path.stat().st_size > 0
    return bool(environment.get(name, "").strip())
