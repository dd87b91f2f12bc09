"""What became of a version after it was judged, on its page in MLflow: a section of its description, and the tag `barred`."""

from collections.abc import Callable
from typing import NamedTuple

from lesionflow.registry.mlflow_store import connect, reaching
from lesionflow.registry.pages.descriptions import drop_section, fit_store, put_section
from lesionflow.registry.versions import find_all_versions

SECTION = "record"
BARRED = "barred"


class VersionRecord(NamedTuple):
    """What a version's page says: Markdown, empty for nothing; since when and why it is barred, empty where it is not."""

    text: str
    barred: str


def show_records(model_name: str, record_of: Callable[[str], VersionRecord], tracking_uri: str) -> None:
    """Write what became of versions where it stands otherwise, and as the first thing of their pages.

    Args:
        model_name: The registered model.
        record_of: Gives a version's record by its number.
        tracking_uri: The store.

    Raises:
        ServiceError: When the store can't be reached or refuses.
    """
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        for version in find_all_versions(client, model_name):
            number, there = str(version.version), version.description or ""
            record = record_of(number)
            text = fit_store(in_front(there, record.text), tracking_uri)
            if text != there:
                client.update_model_version(model_name, number, text)
            barred = version.tags.get(BARRED, "")
            if record.barred and record.barred != barred:
                client.set_model_version_tag(model_name, number, BARRED, record.barred)
            elif barred and not record.barred:
                client.delete_model_version_tag(model_name, number, BARRED)


def in_front(text: str, content: str) -> str:
    """Put the record before all else of a description, or take it out where there is nothing to tell.

    Examples:
        >>> print(in_front(in_front("Mine.", "A"), "B"))
        B <!-- lesionflow:record -->
        <!-- /lesionflow:record -->
        <BLANKLINE>
        Mine.
        >>> in_front(in_front("Mine.", "A"), "")
        'Mine.'
    """
    rest = drop_section(text, SECTION)
    return put_section(rest, SECTION, content) if content else rest
