"""Lines are found again by what they attest, with those behind them."""

from lesionflow.io.attestations.chain import read_lines, verify_chain
from lesionflow.io.attestations.folder import CHAIN, find_statements, keep_statement, read_chain, write_chain
from lesionflow.io.attestations.statements import Attestation, write_statement


def line(name, subjects, materials):
    return write_statement(Attestation(name, subjects, materials, "", "", "", "", "", ""), None)


INGEST = line("ingest", {"cases": "c1"}, {"raw": "r1"})
PLAN = line("plan", {"plan": "p1"}, {"cases": "c1"})
REGISTER = line("register", {"registered": "b1"}, {"plan": "p1"})


def test_the_steps_behind_a_thing_are_found_in_any_of_the_folders(tmp_path):
    keep_statement(tmp_path / "one", INGEST)
    keep_statement(tmp_path / "two", PLAN)
    keep_statement(tmp_path / "two", line("plan", {"plan": "other"}, {"cases": "c1"}))
    folders = (tmp_path / "two", tmp_path / "none", tmp_path / "one")
    assert find_statements(folders, {"plan": "p1"}) == (PLAN, INGEST)
    assert find_statements(folders, {"bundle": "b1"}) == ()
    keep_statement(tmp_path / "one", "{")
    assert len(list((tmp_path / "one").iterdir())) == 1


def test_of_a_thing_that_was_altered_its_makers_line_is_found_so_that_it_can_be_told(tmp_path):
    keep_statement(tmp_path, PLAN)
    keep_statement(tmp_path, INGEST)
    lines = find_statements((tmp_path,), {"plan": "p9"})
    assert lines == (PLAN, INGEST)
    assert "altered in between" in verify_chain(read_lines(lines), {"plan": "p9"}).in_words()


def test_a_thing_made_again_is_kept_once_and_made_of_other_things_beside_it(tmp_path):
    again = write_statement(Attestation("plan", {"plan": "p1"}, {"cases": "c1"}, "", "", "", "", "now", "later"), None)
    keep_statement(tmp_path, PLAN)
    keep_statement(tmp_path, again)
    assert find_statements((tmp_path,), {"plan": "p1"}) == (again,)
    for number in range(6):
        keep_statement(tmp_path, line("plan", {"plan": "p1"}, {"cases": f"c{number + 2}"}))
    assert len(find_statements((tmp_path,), {"plan": "p1"})) == 4


def test_a_versions_chain_ends_at_its_registration(tmp_path):
    assert read_chain(tmp_path, "b1", ()) is None
    (tmp_path / CHAIN).write_text(write_chain((REGISTER, PLAN, INGEST)))
    assert read_chain(tmp_path, "b1", ()).in_words() == "register <- plan <- ingest, unsigned"
    assert "is not what was made" in read_chain(tmp_path, "b9", ()).in_words()
    assert "register is unsigned" in read_chain(tmp_path, "b1", {"team"}).in_words()
