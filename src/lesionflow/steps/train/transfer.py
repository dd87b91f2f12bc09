"""Where a training's first weights come from: `train.transfer`."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lesionflow.config import Settings, TransferConfig
from lesionflow.data.bundle import Ancestor, Bundle
from lesionflow.data.plan import ArchitecturePlan
from lesionflow.errors import ConfigError
from lesionflow.io.exchange.pretrained_weights import download_weights, read_weights
from lesionflow.io.files import sha256_file
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.models.ensemble import weights_of_member
from lesionflow.models.transfer import Transfer, transfer_weights
from lesionflow.registry.registered_bundles import fetch_bundle

NONE, REGISTERED, ADDRESSES = "none", "models:/", ("https://", "http://")
#: Names told in a log line, at most; the card holds all.
NAMES_TOLD = 6
logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Source:
    """Weights to start from.

    Args:
        name: As params name them.
        digest: sha256 of the bundle or file: an alias may move, what was taken does not.
        weights: torch tensors by name.
        trained_cases: What they learned from, where that is known.
        members: What each network of an ensemble learned from; empty for one network.
        ancestors: The model itself and those that it had started from, as the card of what is trained from it names them.
    """

    name: str
    digest: str
    weights: Mapping[str, torch.Tensor]
    trained_cases: tuple[str, ...] = ()
    members: tuple[tuple[str, ...], ...] = ()
    ancestors: tuple[Ancestor, ...] = ()

    def of_member(self, number: int) -> "Source":
        """Return the one network of an ensemble that a fold starts from; a single network as it is."""
        if not self.members:
            return self
        number %= len(self.members)
        weights = weights_of_member(self.weights, number)
        return replace(self, weights=weights, trained_cases=self.members[number], members=())

    def warn_of_known_cases(self, validation: Iterable[str]) -> None:
        """Say so when a case that shall judge the training is one that the weights have learned from."""
        if known := sorted(set(self.trained_cases) & set(validation)):
            logger.warning(
                "%s has learned from %d of the validation cases (%s): their Dice will look better than it is.",
                self.name, len(known), ", ".join(known[:NAMES_TOLD]),
            )  # fmt: skip

    def warn_of_unknown_cases(self) -> None:
        """Say before hours of training that the gate will refuse what is trained from it."""
        if unknown := [ancestor.source for ancestor in self.ancestors if ancestor.may_know_patients]:
            logger.warning(
                "Nobody knows what %s has learned from: `promote` will refuse a model that started from it, since test patients may have been "
                "among it. `lesionflow models promote VERSION --name NAME --reason REASON` is then a person's to answer for.",
                ", ".join(unknown),
            )  # fmt: skip

    def put_into(self, network: torch.nn.Module, architecture: ArchitecturePlan) -> dict[str, Any]:
        """Load what fits into a network; log it.

        Args:
            network: Changed in place.
            architecture: What it is.

        Returns:
            What the card says of it: the source, its digest, and what became of each weight.

        Raises:
            ArtifactError: When no weight of the encoder fits.
        """
        done = transfer_weights(network, self.weights, architecture)
        logger.info(
            "%d weights taken from %s, %d adapted to other channels, %d drawn anew%s, %d not used%s",
            len(done.loaded), self.name, len(done.adapted), len(done.fresh), _told(done.fresh), len(done.unused),
            _told(done.unused),
        )  # fmt: skip
        return {"source": self.name, "digest": self.digest, **_listed(done)}


def find_source(config: TransferConfig, settings: Settings) -> Source | None:
    """Find the weights that params name.

    Args:
        config: `train.transfer`.
        settings: The tracking URI and the folder for fetched files.

    Returns:
        The weights, None for `none`.

    Raises:
        ConfigError: When the source is nothing of the kinds that exist.
        ArtifactError: When it is not there, broken, or has another hash than params say.
        ServiceError: When it can't be reached.
    """
    name = config.source
    if name == NONE:
        return None
    if name.startswith(REGISTERED):
        return _of_bundle(name, fetch_bundle(*_registered(name), settings.tracking_uri))
    if name.startswith(ADDRESSES):
        path = download_weights(name, config.sha256, settings.cache_dir / "weights")
        return _of_file(name, path, config.sha256)
    if Path(name).is_dir():
        return _of_bundle(name, read_bundle(Path(name)))
    if Path(name).is_file():
        return _of_file(name, Path(name), config.sha256)
    raise ConfigError(
        f"Expected train.transfer.source to be none, a bundle's folder, models:/NAME@ALIAS, a file of weights or its "
        f"address, found {name!r}."
    )


def _registered(name: str) -> tuple[str, str]:
    """Take `models:/NAME@ALIAS` or `models:/NAME/VERSION` apart."""
    for separator in ("@", "/"):
        model, found, version = name.removeprefix(REGISTERED).partition(separator)
        if found and model and version:
            return model, version
    raise ConfigError(f"Expected train.transfer.source like models:/NAME@champion or models:/NAME/3, found {name!r}.")


def _of_file(name: str, path: Path, sha256: str) -> Source:
    digest = sha256_file(path)
    ancestor = Ancestor(source=name, digest=digest, learned_cases=(), cases_known=False)
    return Source(name, digest, read_weights(path, sha256), ancestors=(ancestor,))


def _of_bundle(name: str, bundle: Bundle) -> Source:
    weights = {key: torch.from_numpy(np.array(array)) for key, array in bundle.weights.items()}
    members: tuple[tuple[str, ...], ...] = ()
    if bundle.plan.architecture.n_members > 1:
        members = tuple(fold.trained_cases for fold in bundle.card.folds)
    card = bundle.card
    known = card.learned_from != "unknown"
    own = Ancestor(source=name, digest=bundle.digest, learned_cases=card.learned_cases, cases_known=known)
    return Source(name, bundle.digest, weights, card.trained_cases, members, (own, *card.line))


def _told(names: tuple[str, ...]) -> str:
    more = ", ..." if len(names) > NAMES_TOLD else ""
    return f" ({', '.join(names[:NAMES_TOLD])}{more})" if names else ""


def _listed(done: Transfer) -> dict[str, Any]:
    return {key: list(names) for key, names in asdict(done).items()}
