"""One model, loaded and proven by its golden cases: what a study is given to."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.config import Settings
from lesionflow.prediction.served_model import ServedModel, load_model
from lesionflow.serving.generations.study_work import segment_parts
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part

if TYPE_CHECKING:
    from lesionflow.inference import Segmenter


@dataclass(frozen=True, eq=False)
class Generation:
    """A model in service, or ready for it.

    Args:
        model: What it is called, and its bundle.
        segmenter: What runs it.
        limits: Of archives that are sent.
        n_golden: Golden cases that it answered as where it was made; 0 for a bundle that carries none.
        loaded: When, UTC.
    """

    model: ServedModel
    segmenter: "Segmenter"
    limits: ServiceSettings
    n_golden: int
    loaded: str

    @property
    def title(self) -> str:
        """What it is called in logs."""
        return f"{self.model.name} version {self.model.version}"

    def segment(self, parts: Sequence[Part], into: Path, name: str) -> dict[str, Any]:
        """Segment a study and write its masks; as `segment_parts`."""
        return segment_parts(self.model, self.segmenter, parts, into, name, self.limits)


def load_generation(service: ServiceSettings, settings: Settings, version: str) -> Generation:
    """Fetch a model, verify every byte and its signature, load it, and ask it its golden cases.

    Args:
        service: Which registered model.
        settings: The tracking URI and the device.
        version: An alias, a number, or the folder of a bundle.

    Raises:
        ArtifactError: When there is no such model, it is not whole, nobody who counts signed it, or its golden cases fail.
        ServiceError: When the registry can't be reached.
        ConfigError: When an alias or number is given without the model's name.
    """
    # torch and mlflow take seconds and 300 MB; the server's parent process imports this module too, needs neither.
    from lesionflow.inference import Segmenter
    from lesionflow.inference.golden import require_golden

    model = load_model(version, service.model_name, settings.tracking_uri)
    segmenter = Segmenter(model.bundle, device=settings.device, memory_mb=settings.memory_mb)
    golden = require_golden(segmenter, model.bundle, f"{model.name} version {model.version}")
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return Generation(model, segmenter, service, golden.n_cases, now)
