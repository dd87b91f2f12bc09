"""Follows an alias of the registry: what it names is brought beside what serves, and switched to when it holds."""

import datetime as dt
import logging
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from lesionflow.errors import LesionFlowError, ServiceError
from lesionflow.machine.error_words import kind_in_words
from lesionflow.machine.faults import machine_fault
from lesionflow.serving.generations.generation import Generation
from lesionflow.serving.generations.lineup import Lineup
from lesionflow.serving.prometheus_metrics import ServiceMetrics

logger = logging.getLogger(__name__)
#: So much of why a version was refused is told to whoever asks.
LONGEST_REASON = 500
FOLDERS = re.compile(r"(?<![\w:/])/(?:[^\s/]+/)+")


class Named(NamedTuple):
    """What an alias names: a version's number, and the digest of the bundle in it."""

    version: str
    digest: str


class Follower:
    """Looks where an alias points; one look at a time.

    Args:
        find: Returns what the alias names now; None when it names nothing.
        load: Fetches, verifies, loads and proves a version, as `load_generation`.
        lineup: Who serves.
        metrics: Counts what came of each change.
    """

    def __init__(
        self,
        find: Callable[[], Named | None],
        load: Callable[[str], Generation],
        lineup: Lineup,
        metrics: ServiceMetrics,
    ) -> None:
        self._find, self._load, self._lineup, self._metrics = find, load, lineup, metrics
        self._refused: dict[Named, dict[str, str]] = {}
        self._wanted: Named | None = None
        self._trouble = ""

    def look(self) -> None:
        """Look once, and switch where the alias names another version than the one that serves.

        A version that was refused is not tried again until the service starts anew or the alias has named another: it would fail the same
        way. What the registry or the machine could not do is tried again at the next look.
        """
        try:
            wanted = self._find()
        except ServiceError as error:
            self._say(f"the registry can't be asked: {error}")
            return
        if wanted is None:
            self._say("the alias names no version any more")
            return
        if wanted != self._wanted:
            self._wanted = wanted
            self._refused.clear()
        serving, before, _, _ = self._lineup.standing
        if wanted in self._refused or (serving is not None and named(serving) == wanted):
            self._say("")
            return
        if before is not None and named(before) == wanted:
            self._switch(before)
            return
        try:
            self._switch(self._load(wanted.version))
        except Exception as error:  # noqa: BLE001 - whatever a version does, it is told, and what serves goes on
            if isinstance(error, ServiceError) or machine_fault(error) is not None:
                self._say(f"version {wanted.version} can't be fetched now: {error}")
                return
            self.refuse(wanted, error, "refused")

    def refuse(self, version: Named, error: Exception, outcome: str) -> None:
        """Write down that a version is not served, and why.

        Args:
            version: Which.
            error: What it failed with.
            outcome: `refused` where it never served, `returned` where it did.
        """
        logger.error("version %s is not served (%s); the one before goes on", version.version, outcome, exc_info=error)
        # What failed on a study may name it.
        told = isinstance(error, LesionFlowError) and outcome == "refused"
        reason = _without_folders(str(error)) if told else f"{kind_in_words(error)}; the service's log has more"
        self._refused[version] = {
            "version": version.version, "bundle_digest": version.digest, "outcome": outcome, "reason": reason, "at": _now(),
        }  # fmt: skip
        self._metrics.champion_changes.labels(outcome).inc()

    def describe(self) -> dict[str, Any]:
        """Return what a client may know: which version the alias names, and which of it is not served and why."""
        told: dict[str, Any] = {"wanted_version": self._wanted.version if self._wanted else None}
        if self._wanted in self._refused:
            told["refused"] = self._refused[self._wanted]
        if self._trouble:
            told["trouble"] = self._trouble[:LONGEST_REASON]
        return told

    def _switch(self, new: Generation) -> None:
        self._lineup.switch(new)
        self._metrics.champion_changes.labels("switched").inc()
        self._say("")

    def _say(self, trouble: str) -> None:
        """Log a trouble when it begins, not at each look."""
        if trouble and trouble != self._trouble:
            logger.warning("following: %s", trouble)
        self._trouble = trouble


def named(generation: Generation) -> Named:
    """Return what an alias would name for a model to be this one."""
    return Named(generation.model.version, generation.model.bundle.digest)


def _without_folders(text: str) -> str:
    """Return a message without the folders of the server that it names."""
    return FOLDERS.sub("", text)[:LONGEST_REASON]


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
