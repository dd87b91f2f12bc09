"""What the ledger says of champions, from entries written out by hand."""

from lesionflow.data.ledger import FIRST, EntryKind, seal
from lesionflow.registry.succession import (
    bars,
    champion_by_ledger,
    decision_of,
    describe_bar,
    history,
    learned_from_withdrawn,
    unfinished,
)
from lesionflow.registry.succession.history import line_of_champions, rollback_target

NAME = "knees"


class Book:
    def __init__(self):
        self.entries = []

    def add(self, kind, **facts):
        number = len(self.entries) + 1
        previous = self.entries[-1].sha256 if self.entries else FIRST
        self.entries.append(seal(number, f"day {number}", kind, {"model_name": NAME, **facts}, previous))
        return self.entries[-1]

    def promote(self, version, before=None, **facts):
        begun = self.add(EntryKind.DECISION, version=version, before=before, promote=True, by="gate", **facts)
        self.add(EntryKind.CHAMPION, version=version, before=before, by="gate", of=begun.sha256)

    def roll_back(self, version, before, **facts):
        begun = self.add(EntryKind.ROLLBACK, version=version, before=before, **facts)
        self.add(EntryKind.CHAMPION, version=version, before=before, by="rollback", of=begun.sha256)


def test_a_rollback_leads_back_through_the_champions_and_never_forth():
    book = Book()
    for version, before in (("1", None), ("2", "1"), ("3", "2")):
        book.promote(version, before)
    assert line_of_champions(book.entries, NAME) == ("1", "2", "3")
    book.roll_back("2", "3")
    assert line_of_champions(book.entries, NAME) == ("1", "2")
    assert champion_by_ledger(book.entries, NAME) == "2"
    book.roll_back("1", "2")
    assert line_of_champions(book.entries, NAME) == ("1",)
    assert set(bars(book.entries, NAME)) == {"2", "3"}
    book.add(EntryKind.LIFTED, version="3", name="A", reason="mended")
    assert set(bars(book.entries, NAME)) == {"2"}
    book.promote("3", "1")
    assert line_of_champions(book.entries, NAME) == ("1", "3")
    assert (champion_by_ledger(book.entries, "hips"), line_of_champions(book.entries, "hips")) == (None, ())


def test_what_was_begun_and_not_ended_is_found_and_only_that():
    book = Book()
    assert unfinished(book.entries, NAME) is None
    book.promote("1")
    refused = book.add(EntryKind.DECISION, version="2", before="1", promote=False)
    assert unfinished(book.entries, NAME) is None
    assert decision_of(book.entries, NAME, "2") == refused
    begun = book.add(EntryKind.DECISION, version="3", before="1", promote=True)
    assert unfinished(book.entries, NAME) == begun
    book.add(EntryKind.TEST_READ)
    book.add(EntryKind.UNDONE, version="3", of=begun.sha256, detail="gone")
    assert unfinished(book.entries, NAME) is None
    assert champion_by_ledger(book.entries, NAME) == "1"


def test_a_rollback_that_was_undone_bars_nobody_and_a_bar_by_itself_does():
    book = Book()
    begun = book.add(EntryKind.ROLLBACK, version="1", before="2")
    assert set(bars(book.entries, NAME)) == {"2"}
    book.add(EntryKind.UNDONE, version="1", of=begun.sha256)
    assert bars(book.entries, NAME) == {}
    barred = book.add(EntryKind.BARRED, version="5", reason="a patient withdrew")
    assert bars(book.entries, NAME) == {"5": barred}


def withdraw(book, patient, *versions, **facts):
    told = [f"{NAME} version {version}: learned from the patient" for version in versions]
    book.add(
        EntryKind.WITHDRAWAL, patient=patient, learned=[*told, "hips version 1: learned from the patient"], **facts
    )


def test_a_withdrawal_bars_who_learned_until_it_is_lifted_or_the_patient_is_back():
    book = Book()
    withdraw(book, "one", "1", "12")
    withdraw(book, "two", "2", "12")
    assert set(bars(book.entries, NAME)) == {"1", "2", "12"}
    assert set(bars(book.entries, "hips")) == {"1"}
    assert "it learned from a patient who was withdrawn since" in describe_bar("1", bars(book.entries, NAME)["1"])
    book.add(EntryKind.LIFTED, version="1", name="A", reason="it may stay")
    assert set(bars(book.entries, NAME)) == {"2", "12"}
    assert learned_from_withdrawn(book.entries, NAME) == {"1", "2", "12"}, "a bar that is lifted unlearns nothing"
    book.add(EntryKind.WITHDRAWAL, patient="one", readmitted=True)
    assert set(bars(book.entries, NAME)) == {"2", "12"}, "12 learned from the other too"
    book.add(EntryKind.WITHDRAWAL, patient="two", readmitted=True)
    assert bars(book.entries, NAME) == {}
    assert learned_from_withdrawn(book.entries, NAME) == frozenset()


def test_a_later_call_of_a_withdrawal_bars_who_learned_since_and_none_that_was_lifted():
    book = Book()
    withdraw(book, "one", "1", "2")
    book.add(EntryKind.LIFTED, version="1", name="A", reason="it may stay")
    withdraw(book, "one", "1", "2", "3")
    assert set(bars(book.entries, NAME)) == {"2", "3"}
    withdraw(book, "one", "1", "2", "3")
    assert set(bars(book.entries, NAME)) == {"2", "3"}
    book.add(EntryKind.WITHDRAWAL, patient="one", readmitted=True)
    withdraw(book, "one", "1", "2")
    assert set(bars(book.entries, NAME)) == {"1", "2"}, "another withdrawal is judged anew"


def test_a_rollback_passes_over_who_learned_from_a_withdrawn_patient():
    book = Book()
    for version, before in (("1", None), ("2", "1"), ("3", "2")):
        book.promote(version, before)
    withdraw(book, "one", "2")
    assert rollback_target(book.entries, NAME) == "1"


def test_history_says_who_when_by_whom_and_why():
    book = Book()
    book.promote("1", verdict="first", sentence="first champion")
    book.roll_back("0", "1", name="A. Smith", reason="misses small tumors")
    book.add(EntryKind.CHAMPION, version="7", before="0", by="found", detail="made elsewhere")
    assert history(book.entries, NAME) == (
        ("1", "day 2", "day 4", "gate", "", "first champion"),
        ("0", "day 4", "day 5", "rollback", "A. Smith", "misses small tumors"),
        ("7", "day 5", "", "found", "", "made elsewhere"),
    )
