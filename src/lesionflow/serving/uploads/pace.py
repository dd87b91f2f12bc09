"""How slow a client may be: a body that trickles holds a place that others need. What is sent is looked at elsewhere."""

import asyncio
import time
from collections.abc import AsyncIterator

from lesionflow.serving.problems import RequestRefusedError

#: Nothing at all for so long, and the upload is given up.
SILENCE_S = 30.0
#: How long a connection has to come up to its rate.
GRACE_S = 30.0
BYTES_PER_KB = 1000


async def paced(stream: AsyncIterator[bytes], least_kb_s: float) -> AsyncIterator[bytes]:
    """Yield a body as it arrives, while it arrives fast enough.

    Args:
        stream: The body.
        least_kb_s: The slowest that it may be in all, after `GRACE_S`; what is done with a block here does not count.

    Raises:
        RequestRefusedError: 408 `too_slow`.
    """
    waited, received = 0.0, 0
    chunks = stream.__aiter__()
    while True:
        began = time.monotonic()
        try:
            chunk = await asyncio.wait_for(anext(chunks), SILENCE_S)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise _too_slow(least_kb_s) from error
        waited += time.monotonic() - began
        received += len(chunk)
        if waited > GRACE_S and received < waited * least_kb_s * BYTES_PER_KB:
            raise _too_slow(least_kb_s)
        yield chunk


def _too_slow(least_kb_s: float) -> RequestRefusedError:
    message = f"Expected an upload of at least {least_kb_s:g} kB/s, found a slower one. Send it over another connection, or compress it."
    return RequestRefusedError(message, status=408, code="too_slow", headers={"Connection": "close"})
