"""The line of orders: each is handed in, its results fetched and stored back; what fails is tried again, after longer and longer pauses."""

import logging
import time
from typing import Any

from lesionflow.errors import ServiceError
from lesionflow.pacs.delivery import deliver
from lesionflow.pacs.network_config import NetworkConfig, StudyRule
from lesionflow.pacs.orders import Order, OrderBook, OrderState
from lesionflow.pacs.service_link import RefusedOrderError, ServiceLink

#: Pauses after a failure, in s: doubled each time.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
#: How often a job is asked for.
POLL_S = 1.0
#: A study at which the service failed so often by its own fault may be what makes it fail.
MOST_ROUNDS = 3
logger = logging.getLogger(__name__)


class Line:
    """Works on orders.

    Args:
        config: Rules and destinations.
        book: The orders.
    """

    def __init__(self, config: NetworkConfig, book: OrderBook) -> None:
        self._config, self._book = config, book
        self._rules = {rule.name: rule for rule in config.rules}
        #: When each order is worked on next.
        self._due: dict[str, float] = {}

    def work(self) -> None:
        """Do what can be done now; returns when nothing is due."""
        for order in self._book.all_open():
            if order.state is not OrderState.FAILED and self._due.get(order.id, 0.0) <= time.monotonic():
                self._try(order)

    def _try(self, order: Order) -> None:
        rule = self._rules.get(order.rule)
        if rule is None:
            self._fail(order, "rule_is_gone")
            return
        try:
            self._step(order, rule)
        except RefusedOrderError as error:
            now = self._book.find(order.id) or order
            if error.of_study or now.n_rounds + 1 >= MOST_ROUNDS:
                self._fail(now, error.code)
            else:
                self._pause(now, error, state=OrderState.WAITING, job="", n_rounds=now.n_rounds + 1)
        except (ServiceError, OSError) as error:
            # What stands on disk by now: results that were sent are not sent again.
            self._pause(self._book.find(order.id) or order, error)

    def _pause(self, order: Order, error: Exception, **changes: Any) -> None:
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(order.n_failures, 20))
        self._due[order.id] = time.monotonic() + pause
        self._book.change(order, n_failures=order.n_failures + 1, error=type(error).__name__, **changes)
        logger.warning("order %s: %s Tried again in %.0f s.", order.id, error, pause)

    def _step(self, order: Order, rule: StudyRule) -> None:
        service = ServiceLink(rule.service)
        if order.state is OrderState.WAITING:
            scratch = self._config.spool / "receiving" / f"{order.id}.zip"
            job = service.hand_in(self._book.objects(order), order.key, scratch)
            order = self._book.change(order, state=OrderState.HANDED_IN, job=job, error="")
            logger.info("order %s: handed in as job %s", order.id, job)
        if order.state is OrderState.HANDED_IN:
            if (is_done := service.is_done(order.job)) is False:
                self._due[order.id] = time.monotonic() + POLL_S
                return
            if not is_done or not self._fetch(order, rule, service):
                # The service has forgotten it: it is handed in anew, under the same key.
                self._book.change(order, state=OrderState.WAITING, job="")
                return
            order = self._book.change(order, state=OrderState.FETCHED, n_failures=0, error="")
        self._send(order, rule)

    def _fetch(self, order: Order, rule: StudyRule, service: ServiceLink) -> bool:
        return all(service.fetch(order.job, name, self._book.result(order, name)) for name in rule.formats)

    def _send(self, order: Order, rule: StudyRule) -> None:
        for name in rule.destinations:
            for output_format in rule.formats:
                if (one := f"{name}/{output_format}") in order.sent:
                    continue
                path = self._book.result(order, output_format)
                deliver(path, self._config.destinations[name], self._config.listen.ae_title)
                order = self._book.change(order, sent=(*order.sent, one), n_failures=0, error="")
                logger.info("order %s: %s is stored at %s", order.id, output_format, name)
        self._book.end(order, OrderState.DONE)
        self._due.pop(order.id, None)

    def _fail(self, order: Order, code: str) -> None:
        self._book.end(order, OrderState.FAILED, code)
        self._due.pop(order.id, None)
        logger.warning("order %s failed: %s", order.id, code)
