"""Connections on which no request comes are closed: uvicorn waits for the end of headers without end. Bodies have a pace of their own, which lies in `uploads`."""

from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

#: A request's headers must have come by the second look after the connection was free.
LOOK_S = 10.0


def close_idle_connections() -> None:
    """Have this process's server close connections that wait for headers over two looks; asked once more it changes nothing."""
    if getattr(H11Protocol.connection_made, "looks", False):
        return
    made = H11Protocol.connection_made

    def connection_made(self: Any, transport: Any) -> None:
        made(self, transport)
        self.loop.call_later(LOOK_S, _look, self, None)

    connection_made.looks = True  # type: ignore[attr-defined]
    H11Protocol.connection_made = connection_made  # type: ignore[method-assign]


def _look(protocol: Any, waited_after: object) -> None:
    """Close a connection that waits for headers since the look before.

    Args:
        protocol: The connection's.
        waited_after: Which request it had answered, or had not got, at the look before; None at the first.
    """
    if protocol.transport.is_closing():
        return
    waits = protocol.conn.their_state is h11.IDLE and (protocol.cycle is None or protocol.cycle.response_complete)
    now = ("after", id(protocol.cycle)) if waits else None
    if waits and now == waited_after:
        protocol.transport.close()
        return
    protocol.loop.call_later(LOOK_S, _look, protocol, now)
