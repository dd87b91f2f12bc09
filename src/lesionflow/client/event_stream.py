"""Events out of the lines of a stream, by the rules of HTML's standard; what they mean stands in `remote_job`."""

import json
from collections.abc import Iterator

from lesionflow.client.remote_job import JobEvent, event_of_stream


class EventLines:
    """Gathers lines until they are an event.

    Examples:
        >>> lines = EventLines()
        >>> told = ["id: 1", "event: stage", 'data: {"stage": "reading"}', ""]
        >>> [event.stage for line in told for event in lines.take(line)]
        ['reading']
    """

    def __init__(self) -> None:
        self.last_id = ""
        self._name, self._data = "message", ""

    def take(self, line: str) -> Iterator[JobEvent]:
        """Yield the event that a line ends, if it ends one."""
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            name, data, self._name, self._data = self._name, self._data, "message", ""
            if data and name in ("stage", "end"):
                yield event_of_stream(self.last_id, name, json.loads(data))
        elif field == "id":
            self.last_id = value
        elif field == "event":
            self._name = value
        elif field == "data":
            self._data += value
