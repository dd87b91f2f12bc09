"""A split named by its content: `split` asks the shared lock in every run, and what follows runs again only if the answer is another one."""

from pathlib import Path

from lesionflow.io.files import sha256_file
from lesionflow.io.project_store.store import ProjectStore
from lesionflow.io.stores.splits import read_split
from lesionflow.registry.shared_state import find_state_origin

SEPARATOR = "@"


def pin_of(splits: Path, tracking_uri: str) -> str:
    """Name a split by its content, and by the registry whose lock it is: in another one nothing is trained or registered yet.

    Args:
        splits: What `split` wrote.
        tracking_uri: The store.

    Returns:
        Such as `<sha256>@<run>`.

    Raises:
        ServiceError: When the store can't be reached.
    """
    return f"{sha256_file(splits)}{SEPARATOR}{find_state_origin(read_split(splits).model_name, tracking_uri)}"


def take_pinned(project_store: str, pin: str, target: Path) -> None:
    """Write the split that a pin names.

    Args:
        project_store: Where `split` kept it.
        pin: What `pin_of` returned.
        target: Where to.

    Raises:
        ArtifactError: When it is not there, or another.
    """
    ProjectStore(project_store).take_object(pin.partition(SEPARATOR)[0], target)
