"""Lines that end where they were meant to: control characters are written as escapes, so that no text of a client's begins a line or moves a terminal's cursor. What is logged stays its writer's."""

import logging
import re

from lesionflow.serving.log.request_ids import REQUEST_ID

#: C0 and C1 controls, line ends of Unicode, and what turns the direction of text.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
#: Loggers whose handlers write what the service says.
WRITERS_OF_LINES = ("", "bentoml", "lesionflow")


class SafeLines(logging.Filter):
    """Escapes a record's text and puts the request's id before it; a trace keeps its lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record once, however many handlers write it."""
        # Not `request_id`: BentoML writes that on every record.
        if not hasattr(record, "is_safe_line"):
            record.is_safe_line = True
            record.msg, record.args = f"[{REQUEST_ID.get()}] {escaped(record.getMessage())}", ()
            if record.exc_info and not record.exc_text:
                record.exc_text = logging.Formatter().formatException(record.exc_info)
            if record.exc_text:
                record.exc_text = "\n".join(map(escaped, record.exc_text.split("\n")))
        return True


def escaped(text: str) -> str:
    r"""Return a text with its control characters written out.

    Examples:
        >>> print(escaped("a\nb\x1b[2J"))
        a\nb\x1b[2J
    """
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def write_safe_lines() -> None:
    """Have all handlers that write the service's log write it so; asked once more it changes nothing."""
    for name in WRITERS_OF_LINES:
        for handler in logging.getLogger(name).handlers:
            if not any(isinstance(one, SafeLines) for one in handler.filters):
                handler.addFilter(SafeLines())
