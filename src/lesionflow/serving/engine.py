"""The model being served: loaded once, fixed for the life of the process, used by one thread a study."""

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.config import Settings
from lesionflow.prediction.writers import WRITERS
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.settings import ServiceSettings

if TYPE_CHECKING:
    from lesionflow.inference import Segmenter
    from lesionflow.prediction.served_model import ServedModel

logger = logging.getLogger(__name__)


class Engine:
    """Loads a model in the background, then turns studies into masks.

    Args:
        service: Which model.
        settings: The tracking URI and the device.
    """

    def __init__(self, service: ServiceSettings, settings: Settings) -> None:
        self._service, self._settings = service, settings
        self._loaded: tuple[ServedModel, Segmenter] | None = None
        self._stopped = threading.Event()

    @property
    def ready(self) -> bool:
        """Whether a model is loaded."""
        return self._loaded is not None

    @property
    def model(self) -> "ServedModel":
        """The model being served.

        Raises:
            RequestRefusedError: 503 `not_ready` when none is loaded yet.
        """
        return self._require()[0]

    def start(self) -> None:
        """Begin to load in a thread; try again until it works or `stop` is called."""
        threading.Thread(target=self._load_until_it_works, name="load-model", daemon=True).start()

    def stop(self) -> None:
        """Stop trying to load."""
        self._stopped.set()

    def load(self) -> None:
        """Load the model now.

        Raises:
            LesionFlowError: When there is no such model or it can't be used.
        """
        # torch and mlflow take seconds and 300 MB; the server's parent process imports this module too, needs neither.
        from lesionflow.inference import Segmenter
        from lesionflow.inference.golden import require_golden
        from lesionflow.prediction.served_model import load_model

        settings = self._settings
        model = load_model(self._service.model, self._service.model_name, settings.tracking_uri)
        segmenter = Segmenter(model.bundle, device=settings.device, memory_mb=settings.memory_mb)
        require_golden(segmenter, model.bundle, f"{model.name} version {model.version}")
        self._loaded = (model, segmenter)
        logger.info("serving model %s, version %s, bundle %.12s", model.name, model.version, model.bundle.digest)
        if model.doubt:
            logger.warning("%s", model.doubt)

    def segment(self, source: Path | Mapping[str, Path], folder: Path, formats: Sequence[str]) -> dict[str, Any]:
        """Segment a study and write its masks.

        Args:
            source: A folder of DICOM, or a NIfTI file by channel.
            folder: Where the masks go, named as `WRITERS` says.
            formats: Keys of `WRITERS`.

        Returns:
            The report as plain values.
        """
        from lesionflow.prediction.study import segment_study

        model, segmenter = self._require()
        prediction = segment_study(model, segmenter, source, output_formats=formats)
        for name in formats:
            prediction.write(folder / WRITERS[name].file_name, name)
        return prediction.report().model_dump(mode="json")

    def _require(self) -> "tuple[ServedModel, Segmenter]":
        if self._loaded is None:
            raise not_ready()
        return self._loaded

    def _load_until_it_works(self) -> None:
        while not self._stopped.is_set() and not self.ready:
            try:
                self.load()
            except Exception:
                # Whatever the cause, the process stays able to say that it is not ready.
                logger.exception("no model to serve yet; trying again in %.0f s", self._service.load_retry_s)
                self._stopped.wait(self._service.load_retry_s)


def not_ready() -> RequestRefusedError:
    """Return the refusal of a study that came before the model."""
    message = (
        "Expected a loaded model, found none yet: it is being fetched, or there is no such version. Try again soon."
    )
    return RequestRefusedError(message, status=503, code="not_ready", headers={"Retry-After": "15"})
