"""All models that are served, by name: the main one and those beside it, each loaded and followed by an engine of its own."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from lesionflow.config import Settings
from lesionflow.serving.engine import Engine
from lesionflow.serving.generations.lineup import other_version
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.prometheus_metrics import ServiceMetrics
from lesionflow.serving.settings import ServiceSettings

if TYPE_CHECKING:
    from lesionflow.serving.generations.generation import Generation

Result = TypeVar("Result")


class ChosenModel(NamedTuple):
    """Which model a study is for.

    Args:
        further: The name of a model beside the main one; None: the main one.
        version: The only version that will do; None: whichever serves.
    """

    further: str | None = None
    version: str | None = None


class Roster:
    """The models of a service.

    Args:
        main: The engine of the model that serves who asks for none.
        main_name: What it is asked for by; None where it is called as its bundle says.
        further: The engines of the others by their names.
    """

    def __init__(self, main: Engine, main_name: str | None, further: dict[str, Engine]) -> None:
        self.further = further
        self._main, self._main_name = main, main_name

    def start(self) -> None:
        """Begin to load all, each in a thread of its own."""
        for engine in (self._main, *self.further.values()):
            engine.start()

    def stop(self) -> None:
        """Stop trying to load, and following."""
        for engine in (self._main, *self.further.values()):
            engine.stop()

    def close(self) -> None:
        """End what serves."""
        for engine in (self._main, *self.further.values()):
            engine.close()

    def choose(self, asked: Sequence[str]) -> ChosenModel:
        """Return which model is meant, when it is loaded.

        Args:
            asked: Each `?model=` of a request: none, or one that is `NAME` or `NAME/VERSION`.

        Raises:
            RequestRefusedError: 404 `unknown_model`; 503 `not_ready` while it is not loaded; 409 `other_version_serves`.
        """
        chosen = self._find(asked) if asked else ChosenModel()
        serving = self._engine(chosen).model.version
        if chosen.version is not None and chosen.version != serving:
            raise other_version(chosen.version, serving)
        return chosen

    def do(self, asked: str | None, work: "Callable[[Generation], Result]") -> Result:
        """Do a piece of work by the model that was asked for, as it serves now.

        Args:
            asked: As `choose` took it; None: the main one.
            work: As `Engine.do`.

        Raises:
            RequestRefusedError: As `choose`: a version that was asked for and does not serve any more does nothing, and no other does it instead.
            Exception: What the work raises.
        """
        if asked is None:
            return self._main.do(work)
        chosen = self._find([asked])
        engine = self._engine(chosen)
        return engine.do(work) if chosen.version is None else engine.do_by(chosen.version, work)

    def describe(self) -> list[dict[str, Any]]:
        """Return what a client may know of each, the main one first; channels and targets are known once it is loaded."""
        return [_told(name, engine) for name, engine in self._all()]

    def served(self) -> list[tuple[str, str, str]]:
        """Return name, version and digest of what is loaded."""
        loaded = [engine.model for _, engine in self._all() if engine.ready]
        return [(model.name, model.version, model.bundle.digest) for model in loaded]

    def _all(self) -> list[tuple[str | None, Engine]]:
        name = self._main_name or (self._main.model.name if self._main.ready else None)
        return [(name, self._main), *self.further.items()]

    def _engine(self, chosen: ChosenModel) -> Engine:
        return self._main if chosen.further is None else self.further[chosen.further]

    def _find(self, asked: Sequence[str]) -> ChosenModel:
        name, slash, version = asked[0].partition("/")
        wanted = version if slash else None
        if len(asked) == 1 and name in self.further:
            return ChosenModel(name, wanted)
        names = [known for known, _ in self._all() if known is not None]
        if len(asked) == 1 and name in names:
            return ChosenModel(None, wanted)
        served = ", ".join(names) or "none yet"
        message = f"Expected ?model= to name one model that is served ({served}), found {' and '.join(asked)!r:.200}. See GET /v1/models."
        raise RequestRefusedError(message, status=404, code="unknown_model")


def make_further(service: ServiceSettings, settings: Settings, metrics: ServiceMetrics) -> dict[str, Engine]:
    """Return the engines of the models beside the main one, by name: each has one process, so that they take the memory that must be.

    Args:
        service: Which models.
        settings: The tracking URI and the device.
        metrics: Where changes of the models are counted.
    """
    made = {}
    for name, model in service.further:
        own = service.model_copy(update={"model_name": name, "model": model, "more_models": "", "max_concurrent": 1})
        made[name] = Engine(own, settings, metrics)
    return made


def _told(name: str | None, engine: Engine) -> dict[str, Any]:
    unknown = {"name": name, "version": None, "alias": engine.alias, "channels": None, "targets": None, "ready": False}
    if not engine.ready:
        return unknown
    told = engine.model.describe()
    return unknown | {
        "version": told["model_version"], "channels": told["channels"], "targets": told["targets"], "ready": True,
    }  # fmt: skip
