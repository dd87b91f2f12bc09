"""The model being served: loaded in the background, then followed where its alias goes; computing in processes of its own."""

import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lesionflow.config import Settings
from lesionflow.serving.generations.follower import Follower, Named, named
from lesionflow.serving.generations.generation import Generation, load_generation
from lesionflow.serving.generations.lineup import Lineup
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.prometheus_metrics import ServiceMetrics
from lesionflow.serving.settings import ServiceSettings

if TYPE_CHECKING:
    from lesionflow.prediction.served_model import ServedModel

Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class Engine:
    """Loads a model in the background, follows its alias, and gives studies to it.

    Args:
        service: Which model, and how often its alias is looked at.
        settings: The tracking URI and the device.
        metrics: Where changes of the model are counted.
    """

    def __init__(self, service: ServiceSettings, settings: Settings, metrics: ServiceMetrics | None = None) -> None:
        self._service, self._settings = service, settings
        self._lineup = Lineup(self._given_up)
        self._follower = Follower(self._find, self._load, self._lineup, metrics or ServiceMetrics())
        self._stopped = threading.Event()

    @property
    def ready(self) -> bool:
        """Whether a model is loaded."""
        return self._lineup.standing.now is not None

    @property
    def model(self) -> "ServedModel":
        """The model being served.

        Raises:
            RequestRefusedError: 503 `not_ready` when none is loaded yet.
        """
        return self._require().model

    @property
    def follows(self) -> bool:
        """Whether the model is called by an alias that is looked at again: not a number, not a folder."""
        pinned = re.fullmatch(r"\d+", self._service.model) or Path(self._service.model).is_dir()
        return self._service.follow_s > 0 and not pinned

    @property
    def alias(self) -> str | None:
        """The alias that is followed; None for a number, a folder, or where none is followed."""
        return self._service.model if self.follows else None

    def describe(self) -> dict[str, Any]:
        """Return what a client may know of what is served, and of what is not.

        Raises:
            RequestRefusedError: 503 `not_ready` when none is loaded yet.
        """
        serving, (_, before, n_done, _) = self._require(), self._lineup.standing
        following: dict[str, Any] = {"alias": self.alias}
        if self.follows:
            following |= {"every_s": self._service.follow_s, **self._follower.describe()}
        if before is not None:
            following |= {"n_trial_studies": n_done, "standby_version": before.model.version}
        told = {"loaded": serving.loaded, "n_golden_cases": serving.n_golden}
        return {**serving.model.describe(), **told, "following": following}

    def health(self) -> dict[str, tuple[bool, str]]:
        """Return what is known of the model: that it was loaded and verified, its golden cases, the processes that hold it.

        A process that was ended with its study, and is being replaced, is no fault: the next study waits for it.
        """
        serving = self._lineup.standing.now
        if serving is None:
            return dict.fromkeys(("model", "golden_cases", "processes"), (False, "no model is loaded yet"))
        seal = serving.model.bundle.seal.in_words()
        cases = f"{serving.n_golden} answered as where it was made" if serving.n_golden else "the bundle carries none"
        alive = f"{serving.n_alive} of {self._service.max_concurrent} hold the model"
        return {
            "model": (True, f"{serving.title}, {seal}; every byte verified when it was loaded, {serving.loaded}"),
            "golden_cases": (True, cases),
            "processes": (serving.n_alive > 0 or not serving.trouble, alive),
        }

    def start(self) -> None:
        """Begin to load in a thread; try again until it works or `stop` is called; then follow."""
        threading.Thread(target=self._run, name="load-model", daemon=True).start()

    def stop(self) -> None:
        """Stop trying to load, and following; what serves goes on until `close`."""
        self._stopped.set()

    def close(self) -> None:
        """End what serves."""
        self.stop()
        self._lineup.close()

    def load(self) -> None:
        """Load the model now.

        Raises:
            LesionFlowError: When there is no such model or it can't be used.
        """
        self._lineup.switch(self._load(self._service.model))

    def do(self, work: Callable[[Generation], Result]) -> Result:
        """Do a piece of work by the model that serves when it begins; as `Lineup.do`.

        Raises:
            RequestRefusedError: 503 `not_ready` when none is loaded yet.
        """
        self._require()
        return self._lineup.do(work)

    def do_by(self, version: str, work: Callable[[Generation], Result]) -> Result:
        """Do a piece of work by one version and by no other; as `Lineup.do_by`.

        Raises:
            RequestRefusedError: 503 `not_ready` when none is loaded yet; 409 `other_version_serves`.
        """
        self._require()
        return self._lineup.do_by(version, work)

    def _require(self) -> Generation:
        if (serving := self._lineup.standing.now) is None:
            raise not_ready()
        return serving

    def _load(self, version: str) -> Generation:
        return load_generation(self._service, self._settings, version)

    def _find(self) -> Named | None:
        from lesionflow.registry.versions import find_version

        found = find_version(self._service.model_name or "", self._service.model, self._settings.tracking_uri)
        return None if found is None else Named(found.version, found.bundle_digest)

    def _given_up(self, model: Generation, error: Exception) -> None:
        self._follower.refuse(named(model), error, "returned")

    def _run(self) -> None:
        self._load_until_it_works()
        while self.follows and not self._stopped.wait(self._service.follow_s):
            try:
                self._follower.look()
            except Exception:
                # Whatever the cause, what serves goes on, and the next look may be better.
                logger.exception("the alias could not be followed; trying again in %.0f s", self._service.follow_s)

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
