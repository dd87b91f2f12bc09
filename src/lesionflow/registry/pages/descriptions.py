"""Descriptions of runs and versions in MLflow, made of sections that several steps write, each its own; what a person wrote stays."""

import re

from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE
from mlflow.utils.validation import MAX_TAG_VAL_LENGTH

from lesionflow.config.sqlite_address import sqlite_file
from lesionflow.registry.mlflow_store import connect, reaching
from lesionflow.registry.pages.champion_marks import LONGEST_DESCRIPTION, OWN_NOTE, digest_of
from lesionflow.registry.tracking import Tracker

#: Invisible where Markdown is shown. They end lines, as MLflow's table of versions shows a description's first characters as they stand.
BEGIN, END = "<!-- lesionflow:{section} -->", "<!-- /lesionflow:{section} -->"
SECTION = re.compile(r"<!-- lesionflow:(?P<name>\w+) -->\n(?P<body>.*?)<!-- /lesionflow:(?P=name) -->", re.DOTALL)
#: The section of a version that its model card is.
CARD = "card"
REST = "\n\n... All of it is among the artifacts.\n"


def put_section(text: str, section: str, content: str) -> str:
    """Replace a section of a description, or put it in front.

    Examples:
        >>> once = put_section("Mine.", "card", "A")
        >>> print(put_section(once, "card", "B, better."))
        B, better. <!-- lesionflow:card -->
        <!-- /lesionflow:card -->
        <BLANKLINE>
        Mine.
    """
    begin, end = BEGIN.format(section=section), END.format(section=section)
    first, _, rest = content.strip().partition("\n")
    block = f"{first} {begin}\n{rest}\n{end}".replace("\n\n<!-- /", "\n<!-- /")
    if begin in text and end in text:
        pattern = f"^[^\\n]*{re.escape(begin)}.*?{re.escape(end)}"
        return re.sub(pattern, lambda _: block, text, count=1, flags=re.DOTALL | re.MULTILINE)
    return f"{block}\n\n{text}".rstrip() + ("" if text.strip() else "\n")


def drop_section(text: str, section: str) -> str:
    """Return a description without a section, if it has it.

    Examples:
        >>> drop_section(put_section("Mine.", "card", "A"), "card")
        'Mine.'
    """
    begin, end = (re.escape(mark.format(section=section)) for mark in (BEGIN, END))
    return re.sub(rf"^[^\n]*{begin}.*?{end}\s*", "", text, flags=re.DOTALL | re.MULTILINE)


def shorten_sections(text: str, most: int) -> str:
    """Shorten the sections of a description, the last one first, until it is no longer than a store takes; what a person wrote stays whole.

    Args:
        text: The description.
        most: Characters; what a person wrote may still be longer.
    """
    for match in reversed(list(SECTION.finditer(text))):
        over = len(text) - most
        if over > 0:
            body = match["body"]
            kept = body[: max(0, len(body) - over - len(REST))].rpartition("\n")[0]
            if len(kept) + len(REST) < len(body):
                text = f"{text[: match.start('body')]}{kept}{REST}{text[match.end('body') :]}"
    return text


def fit_store(text: str, tracking_uri: str) -> str:
    """Shorten a version's description to what a store takes: a file any length, servers' databases, which may stand behind an address, a column's."""
    return text if sqlite_file(tracking_uri) is not None else shorten_sections(text, LONGEST_DESCRIPTION)


def describe_version(model_name: str, version: str, section: str, content: str, tracking_uri: str) -> None:
    """Write a section of a version's description; what else stands there stays.

    Args:
        model_name: The registered model.
        version: Its number.
        section: The section's name.
        content: Markdown.
        tracking_uri: The store.

    Raises:
        ServiceError: When the store can't be reached or there is no such version.
    """
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        there = client.get_model_version(model_name, version).description or ""
        client.update_model_version(model_name, version, fit_store(put_section(there, section, content), tracking_uri))


def describe_run(tracker: Tracker, run_id: str, section: str, content: str) -> None:
    """Write a section of a run's description; see `describe_version`.

    Raises:
        ServiceError: When the store can't be reached.
    """
    with reaching(tracker.tracking_uri):
        tags = tracker.client.get_run(run_id).data.tags
        there = tags.get(MLFLOW_RUN_NOTE, "")
        text = shorten_sections(put_section(there, section, content), MAX_TAG_VAL_LENGTH)
        tracker.client.set_tag(run_id, MLFLOW_RUN_NOTE, text)
        if digest_of(there) == tags.get(OWN_NOTE) or not there:
            # It was ours as a whole and is so still: the next evaluation may write it anew.
            tracker.client.set_tag(run_id, OWN_NOTE, digest_of(text))
