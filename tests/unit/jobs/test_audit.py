"""The trail is chained: what was changed, taken out or put in shows."""

import hashlib
import json
import threading

import pytest
from sqlalchemy import delete, insert, select, update

from lesionflow.errors import ArtifactError
from lesionflow.jobs.audit import AuditKind, AuditTrail
from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.tables import AUDIT


@pytest.fixture
def engine(tmp_path):
    made = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield made
    made.dispose()


@pytest.fixture
def trail(engine):
    made = AuditTrail(engine)
    for number in range(4):
        made.append(AuditKind.FETCHED, {"key": "k", "job": f"j{number}"})
    return made


def test_rows_are_told_in_order_and_their_digests_are_those_worked_out_by_hand(trail):
    entries = list(trail.entries())
    assert [entry.facts["job"] for entry in entries] == ["j0", "j1", "j2", "j3"]
    previous = "0" * 64
    for number, entry in enumerate(entries, 1):
        said = {"at": entry.at, "facts": dict(entry.facts), "kind": "fetched", "previous": previous, "sequence": number}
        previous = hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        assert entry.sha256 == previous


CHANGES = {
    "facts": update(AUDIT).where(AUDIT.c.sequence == 2).values(facts_json='{"key": "k", "job": "other"}'),
    "time": update(AUDIT).where(AUDIT.c.sequence == 2).values(at="2020-01-01T00:00:00+00:00"),
    "kind": update(AUDIT).where(AUDIT.c.sequence == 2).values(kind="accepted"),
    "no kind": update(AUDIT).where(AUDIT.c.sequence == 2).values(kind="forgotten"),
    "no facts": update(AUDIT).where(AUDIT.c.sequence == 2).values(facts_json="{"),
    "taken out": delete(AUDIT).where(AUDIT.c.sequence == 2),
    "the first": delete(AUDIT).where(AUDIT.c.sequence == 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_row_is_seen(trail, engine, name):
    with engine.begin() as connection:
        connection.execute(CHANGES[name])
    with pytest.raises(ArtifactError, match=r"row [12] of the audit trail"):
        list(trail.entries())


def test_a_row_put_in_is_seen(trail, engine):
    with engine.begin() as connection:
        row = connection.execute(select(AUDIT).where(AUDIT.c.sequence == 4)).first()
        connection.execute(insert(AUDIT).values({**row._mapping, "sequence": 5}))
    with pytest.raises(ArtifactError, match="row 5"):
        list(trail.entries())


def test_rows_written_at_once_are_one_chain(engine):
    trails = [AuditTrail(engine) for _ in range(4)]

    def write(trail):
        for number in range(10):
            trail.append(AuditKind.ACCEPTED, {"job": number})

    threads = [threading.Thread(target=write, args=[trail]) for trail in trails]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(trails[0].entries())) == 40
