"""An id that came with a request is taken when a line can hold it."""

import pytest
from starlette.datastructures import Headers

from lesionflow.serving.log.request_ids import request_id_of


@pytest.mark.parametrize("sent", ["a", "A-1._b", "x" * 64])
def test_a_harmless_id_is_kept(sent):
    assert request_id_of(Headers({"x-request-id": sent})) == sent


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "a\x1b[2J", "é", "a\n"])
def test_any_other_is_replaced(sent):
    drawn = request_id_of(Headers(raw=[(b"x-request-id", sent.encode("latin-1"))]))
    assert len(drawn) == 32
    assert drawn != request_id_of(Headers({}))


def test_two_are_none():
    assert len(request_id_of(Headers(raw=[(b"x-request-id", b"a"), (b"x-request-id", b"b")]))) == 32
