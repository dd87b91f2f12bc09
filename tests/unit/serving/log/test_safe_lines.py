"""What a client sends begins no line of the log and moves no cursor."""

import io
import logging

import pytest

from lesionflow.serving.log.request_ids import REQUEST_ID
from lesionflow.serving.log.safe_lines import SafeLines, escaped, write_safe_lines


@pytest.fixture
def log():
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(SafeLines())
    logger = logging.getLogger("of a test")
    logger.addHandler(handler)
    yield logger, written
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\x1b", "\x00", "\x7f", "\x9b", "\u2028", "\u202e", "\x85", "\x0b", "\ud800"]
)
def test_control_characters_are_written_out(log, character):
    logger, written = log
    logger.warning("asked for %s", f"/a{character}FORGED")
    line = written.getvalue()
    assert character not in line.removesuffix("\n")
    assert len(line.splitlines()) == 1
    assert escaped(character).startswith("\\")


def test_all_else_stays_as_it_is(log):
    logger, written = log
    logger.warning("%d %% of Größe 病", 5)
    assert written.getvalue() == "[-] 5 % of Größe 病\n"


def test_each_line_has_its_requests_id(log):
    logger, written = log
    token = REQUEST_ID.set("r-1")
    logger.warning("one")
    REQUEST_ID.reset(token)
    logger.warning("two")
    assert written.getvalue().splitlines() == ["[r-1] one", "[-] two"]


def fault_of(text):
    try:
        int(text)
    except ValueError as error:
        return error


def test_a_trace_keeps_its_lines_and_loses_its_controls(log):
    logger, written = log
    logger.error("failed", exc_info=fault_of("a\x1b[2Jb"))
    lines = written.getvalue().splitlines()
    assert (lines[0], lines[1]) == ("[-] failed", "Traceback (most recent call last):")
    assert lines[-1].startswith("ValueError: invalid literal")
    assert "\x1b" not in written.getvalue()


def test_two_handlers_write_a_record_alike():
    written = [io.StringIO(), io.StringIO()]
    handlers = [logging.StreamHandler(place) for place in written]
    record = logging.makeLogRecord({"msg": "a\nb"})
    for handler in handlers:
        handler.addFilter(SafeLines())
        handler.handle(record)
    assert [place.getvalue() for place in written] == ["[-] a\\nb\n"] * 2


def test_handlers_are_changed_once():
    handler = logging.NullHandler()
    logging.getLogger("lesionflow").addHandler(handler)
    try:
        write_safe_lines()
        write_safe_lines()
        assert len(handler.filters) == 1
    finally:
        logging.getLogger("lesionflow").removeHandler(handler)
        for other in logging.getLogger().handlers:
            for one in [each for each in other.filters if isinstance(each, SafeLines)]:
                other.removeFilter(one)


def test_a_record_that_others_gave_a_request_id_is_made_safe_too(log):
    """BentoML's factory does: all lines passed as they were."""
    logger, written = log
    logger.warning("a\nb", extra={"request_id": "of-bentoml"})
    assert written.getvalue() == "[-] a\\nb\n"
