"""A step where nothing is left between runs: what it goes on from comes out of the project store, and what it made goes back."""

import hmac
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from lesionflow.config import Settings
from lesionflow.config.sections.section import Section
from lesionflow.errors import ConfigError, ConflictError
from lesionflow.io.project_store.store import Edition, ProjectStore
from lesionflow.io.stores.cases import read_dataset
from lesionflow.io.stores.private import KEY, pseudonym_key

Run = Callable[[Section, Mapping[str, Path], Mapping[str, Path], Settings], Mapping[str, float]]
#: Another run may be faster so often.
ATTEMPTS = 3
logger = logging.getLogger(__name__)


def run_kept(
    run: Run,
    section: Section,
    inputs: Mapping[str, Path],
    outputs: Mapping[str, Path],
    settings: Settings,
    *,
    project_store: str,
    continues: bool,
) -> Mapping[str, float]:
    """Run a step with its outputs kept in the project store.

    Args:
        run: The step's.
        section: Its params.
        inputs: Its inputs by name.
        outputs: Its outputs by name, each the name of editions too.
        settings: The pseudonym key is compared.
        project_store: A folder, or an address.
        continues: Whether the step goes on from its earlier output.

    Returns:
        The step's counts.

    Raises:
        ArtifactError: When the store is another project's, or was harmed.
        ConfigError: When there is no pseudonym key that all pods share.
        ConflictError: When other runs of the project are faster again and again.
        ServiceError: When the store can't be reached.
    """
    store = ProjectStore(project_store)
    claim_store(store, section, inputs, settings)
    for attempt in range(ATTEMPTS):
        before = {name: store.latest(name) for name in outputs}
        if continues:
            _restore(store, before, outputs, again=attempt > 0)
        counts = run(section, inputs, outputs, settings)
        try:
            for name, path in outputs.items():
                kept = store.save(name, path, before[name])
                logger.info("edition %d of %s is kept in the project store", kept.number, name)
        except ConflictError:
            if attempt == ATTEMPTS - 1:
                raise
            logger.warning("another run of this project was faster; going on from what it kept")
        else:
            break
    return counts


def _restore(
    store: ProjectStore, before: Mapping[str, Edition | None], outputs: Mapping[str, Path], *, again: bool
) -> None:
    for name, edition in before.items():
        path = outputs[name]
        # What lies there already is of this very run: a retried pod's, or that of a workspace.
        is_free = not path.exists() or (path.is_dir() and not any(path.iterdir()))
        if edition is not None and (is_free or again):
            store.restore(edition, path)
            logger.info("going on from edition %d of %s: %d files", edition.number, name, len(edition.files))


def claim_store(store: ProjectStore, section: Section, inputs: Mapping[str, Path], settings: Settings) -> None:
    """Make sure that a store is this project's: same dataset, same model, same pseudonyms.

    Args:
        store: It.
        section: The step's params.
        inputs: The step's inputs; the pseudonym key is compared where `raw` is among them, the dataset's name is read from `cases`.
        settings: The key, or where it lies.

    Raises:
        ArtifactError: When the store is another project's.
        ConfigError: When there is no pseudonym key that all pods share.
    """
    if "raw" in inputs:
        claim_key(store, settings)
    dataset = getattr(section, "dataset_name", None) or read_dataset(inputs["cases"]).name
    store.claim("dataset", str(dataset))
    if model := getattr(section, "model_name", None):
        store.claim("model", str(model))


def claim_key(store: ProjectStore, settings: Settings) -> None:
    """Make sure that a store's cases were named by this team's pseudonym key, of which the store holds a keyed hash alone.

    Args:
        store: It.
        settings: The key, or where it lies.

    Raises:
        ArtifactError: When the store is of another key.
        ConfigError: When there is no pseudonym key that all pods share.
    """
    if settings.pseudonym_key is None and not (settings.private_dir / KEY).exists():
        raise ConfigError(
            "Expected the team's pseudonym key, as the project store is shared, found neither LESIONFLOW_PSEUDONYM_KEY nor a key in the private "
            "folder: a key made here would go with the pod, and the next run would call every patient otherwise."
        )
    key = settings.pseudonym_key or pseudonym_key(settings.private_dir)
    store.claim("key", hmac.new(key.encode(), b"project store", "sha256").hexdigest())
