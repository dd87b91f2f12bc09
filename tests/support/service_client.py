"""Starlette's in-process client, imported without its plea for the next httpx, which the lock does not hold."""

import time
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient as OfStarlette


class TestClient(OfStarlette):
    """Asks on loopback, as the service answers there alone without keys."""

    __test__ = False

    def __init__(self, app, base_url="http://127.0.0.1:3000", **options):
        super().__init__(app, base_url=base_url, **options)


__all__ = ["TestClient", "wait_until_ready"]


def wait_until_ready(client, timeout_s=60.0):
    """Wait for the model; the request of a test must not race its loading."""
    end = time.monotonic() + timeout_s
    while client.get("/readyz").status_code != 200:
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)
