"""What became of a version, by ledgers written by hand."""

from lesionflow.data.ledger import FIRST, EntryKind, seal
from lesionflow.registry.succession.version_events import version_events

NAME = "knees"
WHO = {"name": "A. Smith", "reason": "misses small tumors"}


class Book:
    """A ledger in memory; each entry is an hour after the one before."""

    def __init__(self):
        self.entries = []

    def add(self, kind, **facts):
        at = f"2026-05-01T{len(self.entries):02}:00:00+00:00"
        entry = seal(len(self.entries) + 1, at, kind, {"model_name": NAME, **facts}, FIRST)
        self.entries.append(entry)
        return entry

    def champion(self, version, before, by, begun):
        self.add(EntryKind.CHAMPION, version=version, before=before, by=by, of=begun.sha256)

    def told(self, version):
        return [(e.kind, e.what, e.name, e.reason) for e in version_events(self.entries, NAME, version)]


def test_a_rollback_a_bar_and_its_lift_are_told_at_both_versions():
    book = Book()
    book.champion("1", None, "gate", book.add(EntryKind.DECISION, version="1", before=None, promote=True))
    by_hand = book.add(
        EntryKind.DECISION, version="2", before="1", promote=True, by="hand", name="B. Jones", reason="a trial"
    )
    book.champion("2", "1", "hand", by_hand)
    book.champion("1", "2", "rollback", book.add(EntryKind.ROLLBACK, version="1", before="2", **WHO))
    book.add(EntryKind.LIFTED, version="2", name="C. Day", reason="retrained since")
    assert book.told("2") == [
        ("promoted by hand", "made champion by hand, past the gate, in place of version 1", "B. Jones", "a trial"),
        ("rolled back", "rolled back to version 1, and barred", "A. Smith", "misses small tumors"),
        (
            "lifted",
            "may become champion again: the bar of 2026-05-01 (rollback: misses small tumors) was lifted",
            "C. Day",
            "retrained since",
        ),
    ]
    assert [kind for kind, *_ in book.told("1")] == ["became champion", "replaced", "champion again"]
    assert book.told("3") == []


def test_what_was_undone_or_refused_or_is_of_another_model_is_told_as_what_it_is():
    book = Book()
    back = book.add(EntryKind.ROLLBACK, version="1", before="2", **WHO)
    book.add(EntryKind.UNDONE, version="1", of=back.sha256, detail="Its bytes changed.")
    book.add(EntryKind.DECISION, version="2", before="3", promote=False, verdict="worse")
    book.entries.append(book.add(EntryKind.BARRED, version="2")._replace(facts={"model_name": "hips", "version": "2"}))
    del book.entries[-2]
    assert book.told("2") == [("refused", "judged and not made champion: worse", "", "")]
    assert book.told("1") == [("undone", "was to become champion and did not", "", "Its bytes changed.")]


def test_a_withdrawn_patient_is_told_once_and_so_is_who_comes_back():
    book = Book()
    for _ in range(2):
        book.add(EntryKind.WITHDRAWAL, patient="t1", learned=["knees version 2: trained on it", "hips version 1: so"])
    book.add(EntryKind.WITHDRAWAL, patient="t1", readmitted=True)
    assert [kind for kind, *_ in book.told("2")] == ["withdrawal", "readmitted"]
    assert book.told("1") == []
