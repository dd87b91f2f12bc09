"""`train.transfer.source` in a workspace's params, set so that what a challenger started from is read there, and in git, afterwards."""

import json
from pathlib import Path

import yaml

from lesionflow.config import load_params
from lesionflow.config.yaml_reading import compose
from lesionflow.errors import ConfigError
from lesionflow.io.files import write_text

PLACE = ("train", "transfer", "source")
SCRATCH = "none"


def read_source(params: Path) -> str:
    """Return what params start from."""
    transfer = load_params(params)["train"]["transfer"]
    return str(transfer["source"]) if isinstance(transfer, dict) else SCRATCH


def set_source(params: Path, source: str) -> bool:
    """Put a source into a params file; all else in it, comments too, stays as it is.

    Args:
        params: The file.
        source: Such as `models:/NAME/3`: a version, as an alias moves.

    Returns:
        Whether it was another before.

    Raises:
        ConfigError: When the file has no such key.
    """
    if read_source(params) == source:
        return False
    text = params.read_text(encoding="utf-8")
    node: yaml.Node | None = compose(text, yaml.SafeLoader(text))
    for key in PLACE:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for name, value in pairs if name.value == key), None)
    if node is None:
        raise ConfigError(f"Expected {'.'.join(PLACE)} in {params}, found no such key.")
    written = source if source == SCRATCH else json.dumps(source)
    write_text(params, text[: node.start_mark.index] + written + text[node.end_mark.index :])
    return True
