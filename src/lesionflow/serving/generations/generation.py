"""One model, loaded by the processes that compute with it and proven by its golden cases: what a study is given to."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lesionflow.config import Settings
from lesionflow.errors import ConfigError, MachineError
from lesionflow.prediction.served_model import ServedModel, load_kept
from lesionflow.serving.children.failures import ChildDiedError
from lesionflow.serving.children.model_process import ModelProcess, Terms
from lesionflow.serving.children.pool import Pool
from lesionflow.serving.generations.study_work import was_begun
from lesionflow.serving.scratch import make_temporary, remove_temporary
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part

#: How many processes a study is given to that die before it begins.
MOST_GIVEN = 3


class Generation:
    """A model in service, or ready for it.

    Args:
        model: What it is called, and its bundle without weights: those are where it is computed.
        pool: The processes that hold it.
        limits: Of archives that are sent.
        n_golden: Golden cases that it answered as where it was made; 0 for a bundle that carries none.
        kept: The folder from which processes load it; removed at the end. None where it is somebody else's.
    """

    def __init__(
        self, model: ServedModel, pool: Pool, limits: ServiceSettings, *, n_golden: int, kept: Path | None
    ) -> None:
        self.model, self.n_golden = model, n_golden
        self.loaded = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self._pool, self._limits, self._kept = pool, limits, kept

    @property
    def title(self) -> str:
        """What it is called in logs."""
        return f"{self.model.name} version {self.model.version}"

    @property
    def n_alive(self) -> int:
        """How many of its processes can be asked, or are working."""
        return self._pool.n_alive

    @property
    def trouble(self) -> str:
        """Why a process could not be started in place of another; empty where none failed."""
        return self._pool.trouble

    def segment(self, parts: Sequence[Part], into: Path, name: str, terms: Terms) -> dict[str, Any]:
        """Segment a study and write its masks.

        Args:
            parts: As `segment_parts`.
            into: As `segment_parts`.
            name: As `segment_parts`.
            terms: Until when it may go on.

        Returns:
            As `segment_parts`.

        Raises:
            Exception: As `ModelProcess.segment`.
        """
        order = {
            "parts": [(part.name, str(part.path)) for part in parts], "into": str(into), "format": name,
            "max_unpacked_mb": self._limits.max_unpacked_mb, "max_files": self._limits.max_files,
        }  # fmt: skip
        n_given = 0
        while True:
            n_given += 1
            with self._pool.one(terms) as process:
                try:
                    return process.segment(order, terms)
                except (ChildDiedError, MachineError):
                    # One that was killed while it waited, as the system does first where memory is short, looks alive for some milliseconds more: it has not
                    # begun, and another may.
                    if process.is_alive or n_given == MOST_GIVEN or was_begun(parts, into):
                        raise

    def close(self) -> None:
        """End its processes, and remove its files."""
        self._pool.close()
        if self._kept is not None:
            remove_temporary(self._kept)


def load_generation(service: ServiceSettings, settings: Settings, version: str) -> Generation:
    """Fetch a model, verify every byte and its signature, have a process load it and ask it its golden cases.

    Args:
        service: Which registered model, and how many studies at once.
        settings: The tracking URI, the device and what a process may hold.
        version: An alias, a number, or the folder of a bundle.

    Raises:
        ArtifactError: When there is no such model, it is not whole, nobody who counts signed it, or its golden cases fail.
        ServiceError: When the registry can't be reached.
        ConfigError: When an alias or number is given without the model's name.
    """
    # What a container leaves is for each process to see for itself, when it loads: the others have taken their part of it.
    memory_mb = settings.memory_mb if "memory_mb" in settings.model_fields_set else None
    # Each imports its libraries while the model is fetched.
    processes = [ModelProcess(memory_mb) for _ in range(service.max_concurrent)]
    kept = None if Path(version).is_dir() else make_temporary("model-")
    try:
        model, folder = _fetch(service, settings, version, kept)
        order = {
            "folder": str(folder), "name": model.name, "version": model.version, "bundle_digest": model.bundle.digest,
            "device": settings.device, "memory_mb": memory_mb,
        }  # fmt: skip
        n_golden = min(process.load(order)["n_golden"] for process in processes)
    except BaseException:
        for process in processes:
            process.kill()
        if kept is not None:
            remove_temporary(kept)
        raise
    pool = Pool(partial(_start, order, memory_mb), processes)
    return Generation(model, pool, service, n_golden=n_golden, kept=kept)


def _start(order: dict[str, Any], memory_mb: int | None) -> ModelProcess:
    process = ModelProcess(memory_mb)
    try:
        process.load(order)
    except BaseException:
        process.kill()
        raise
    return process


def _fetch(service: ServiceSettings, settings: Settings, version: str, kept: Path | None) -> tuple[ServedModel, Path]:
    """Return the model without its weights, and where it is kept."""
    if kept is None:
        folder = Path(version)
        model = load_kept(folder, service.model_name or "", "", "")
        model = replace(model, name=model.name or model.bundle.plan.dataset.name)
    elif not service.model_name:
        message = f"Expected the name of the registered model whose {version!r} is meant, or the folder of a bundle, found neither."
        raise ConfigError(f"{message} Set LESIONFLOW_MODEL_NAME or name a folder.")
    else:
        # mlflow takes six seconds; a bundle from a folder needs none of it.
        from lesionflow.registry.kept_versions import keep_version

        folder = kept / "version"
        found = keep_version(service.model_name, version, settings.tracking_uri, folder)
        model = load_kept(folder, service.model_name, found.version, found.bundle_digest)
    return replace(model, bundle=replace(model.bundle, weights={}, golden=())), folder
