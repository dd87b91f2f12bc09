"""The id of the request that is answered now: in every line of the log that is written meanwhile, and in the answer. What is logged belongs to its writers."""

import re
import uuid
from contextvars import ContextVar

from starlette.datastructures import Headers

HEADER = "X-Request-Id"
SENT = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: Of this request, in whatever thread works for it; `-` outside of one.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")


def request_id_of(headers: Headers) -> str:
    """Return the id that a request came with, as a proxy before us may have its own; a new one when it has none that a line can hold.

    Examples:
        >>> request_id_of(Headers({"X-Request-Id": "a-1.b"}))
        'a-1.b'
        >>> len(request_id_of(Headers({"X-Request-Id": "a b"})))
        32
    """
    sent = headers.getlist(HEADER)
    return sent[0] if len(sent) == 1 and SENT.fullmatch(sent[0]) else uuid.uuid4().hex
