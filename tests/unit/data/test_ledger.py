import hashlib
import json

import numpy as np
import pytest

from lesionflow.data.ledger import FIRST, EntryKind, digest_of_entry, plain_facts, seal

AT = "2024-01-02T03:04:05+00:00"


def test_the_digest_is_that_of_all_that_is_said_in_a_stated_order():
    entry = seal(3, AT, EntryKind.LIFTED, {"version": "4", "name": "A. Smith"}, FIRST)
    # Written out by hand: keys in order of the alphabet, no blanks.
    said = (
        f'{{"at":"{AT}","facts":{{"name":"A. Smith","version":"4"}},"kind":"lifted","previous":"{FIRST}","sequence":3}}'
    )
    assert entry.sha256 == hashlib.sha256(said.encode()).hexdigest()


@pytest.mark.parametrize(
    "change", [{"sequence": 4}, {"at": "x"}, {"kind": EntryKind.BARRED}, {"facts": {"version": "5"}}, {"previous": "1"}]
)
def test_whatever_is_changed_shows(change):
    entry = seal(3, AT, EntryKind.LIFTED, {"version": "4"}, FIRST)
    assert digest_of_entry(entry._replace(**change)) != entry.sha256


def test_facts_come_back_from_json_as_they_went_in():
    facts = {
        "a": np.float64(0.25),
        "b": (1, np.int64(2)),
        "c": float("nan"),
        "d": {"kind": EntryKind.BARRED},
        "e": {"y", "x"},
    }
    plain = plain_facts(facts)
    assert plain == {"a": 0.25, "b": [1, 2], "c": None, "d": {"kind": "barred"}, "e": ["x", "y"]}
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
