"""Which model studies are given to, and the one before it, kept until the new one has proven itself in service."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from lesionflow.errors import InputError
from lesionflow.machine.faults import machine_fault
from lesionflow.serving.children.failures import ChildDiedError, StoppedError
from lesionflow.serving.generations.generation import Generation
from lesionflow.serving.problems import RequestRefusedError

#: Studies that a new model segments before the one before it is let go.
TRIAL_STUDIES = 20
#: Of so many studies in a row that a new model fails on and the one before it segments, the latter is served again.
MOST_FAILURES = 3
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class Standing(NamedTuple):
    """Who serves: read and replaced as one, so that no study sees half a switch.

    Args:
        now: What studies are given to; None before the first.
        before: What serves again if `now` fails: the last that has proven itself, while `now` has not.
        n_done: Studies that `now` has segmented since it was switched to.
        n_failed: Studies in a row that it failed on and `before` segmented.
    """

    now: Generation | None = None
    before: Generation | None = None
    n_done: int = 0
    n_failed: int = 0


class Lineup:
    """The models in service.

    Args:
        returned: Told when a new model is given up: it, and what it failed with last.
    """

    def __init__(self, returned: Callable[[Generation, Exception], None]) -> None:
        self._standing, self._lock, self._returned = Standing(), threading.Lock(), returned
        self._users: Counter[Generation] = Counter()
        self._known: set[Generation] = set()
        self._closed = False

    @property
    def standing(self) -> Standing:
        """Who serves at this moment."""
        return self._standing

    def switch(self, new: Generation) -> None:
        """Give studies to another model from now on; those in work are ended by the one that they were given to.

        What served is kept behind the new one, until that has proven itself; of two that have not, the earlier stays.
        """
        with self._lock:
            now, before, _, _ = self._standing
            self._known.add(new)
            # One that is loaded while the service stops serves nobody.
            self._standing = Standing() if self._closed else Standing(new, None if new is before else before or now)
            closed = self._closed
        self._let_go()
        if closed:
            return
        model = new.model
        logger.info("serving model %s, version %s, bundle %.12s", model.name, model.version, model.bundle.digest)
        if model.doubt:
            logger.warning("%s", model.doubt)

    def do(self, work: Callable[[Generation], Result]) -> Result:
        """Do a piece of work by the model that serves when it begins.

        While a new model is on trial, what it fails on is given to the one before: if that can do it, the new one is to blame, and the
        client has an answer all the same. A fault of the study or the machine is nobody's.

        Args:
            work: Called with one model, then perhaps with the other.

        Returns:
            What it returns.

        Raises:
            Exception: What it raises of both.
        """
        with self._held() as (now, before):
            try:
                result = work(now)
            except Exception as error:
                if before is None or not may_be_models_fault(error):
                    raise
                logger.warning("%s failed on a study; it is given to %s", now.title, before.title, exc_info=error)
                result = work(before)
                self._count_failure(now, error)
                return result
            self._count_success(now)
            return result

    def do_by(self, version: str, work: Callable[[Generation], Result]) -> Result:
        """Do a piece of work by one version, if it serves: what it fails on is given to no other.

        Args:
            version: The number of the only version that will do.
            work: Called with it.

        Returns:
            What it returns.

        Raises:
            RequestRefusedError: 409 `other_version_serves`.
            Exception: What the work raises.
        """
        with self._held() as (now, _):
            if now.model.version != version:
                raise other_version(version, now.model.version)
            result = work(now)
            self._count_success(now)
            return result

    def close(self) -> None:
        """Let all go, and whatever comes later."""
        with self._lock:
            self._closed = True
            self._standing = Standing()
            self._users.clear()
        self._let_go()

    @contextmanager
    def _held(self) -> Iterator[tuple[Generation, Generation | None]]:
        """Give who serves, and keep both from being let go meanwhile."""
        with self._lock:
            now, before, _, _ = self._standing
            if now is None:
                raise RuntimeError("a study came before a model")
            held = [now] if before is None else [now, before]
            self._users.update(held)
        try:
            yield now, before
        finally:
            with self._lock:
                self._users.subtract(held)
            self._let_go()

    def _let_go(self) -> None:
        """End what neither serves, nor stands behind, nor is in work."""
        with self._lock:
            wanted = {self._standing.now, self._standing.before}
            gone = [model for model in self._known if model not in wanted and self._users[model] <= 0]
            self._known.difference_update(gone)
        for model in gone:
            model.close()

    def _count_success(self, model: Generation) -> None:
        with self._lock:
            now, before, n_done, _ = self._standing
            if now is model:
                done = n_done + 1
                self._standing = Standing(now, None if done >= TRIAL_STUDIES else before, done)

    def _count_failure(self, model: Generation, error: Exception) -> None:
        with self._lock:
            now, before, n_done, n_failed = self._standing
            if now is not model or before is None:
                return
            given_up = n_failed + 1 >= MOST_FAILURES
            self._standing = Standing(before) if given_up else Standing(now, before, n_done, n_failed + 1)
        if given_up:
            self._returned(model, error)


def other_version(wanted: str, serving: str) -> RequestRefusedError:
    """Return the refusal of a study that only a version may segment that does not serve."""
    found = f"version {serving}" if serving else "the folder of a bundle, which has no version"
    message = f"Expected version {wanted!r:.80} to serve, found {found}. Ask for the name alone, or see GET /v1/models."
    return RequestRefusedError(message, status=409, code="other_version_serves")


def may_be_models_fault(error: Exception) -> bool:
    """Tell whether another model might do what this one failed on: not where the study, the request or the machine is to blame."""
    if isinstance(error, ChildDiedError):
        return True
    known = isinstance(error, InputError | RequestRefusedError | StoppedError)
    return not known and machine_fault(error) is None
