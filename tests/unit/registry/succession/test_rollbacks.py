import mlflow
import pytest

from lesionflow.data.ledger import EntryKind
from lesionflow.errors import ArtifactError, ConfigError, ConflictError
from lesionflow.io.stores.ledger import append_entry, read_ledger
from lesionflow.registry.succession import carry_out, roll_back
from lesionflow.registry.versions import find_version, list_versions, set_alias

NAME = "lesionflow-knees"
BY = {"name": "A. Smith", "reason": "misses small tumors"}


@pytest.fixture
def third(uri, ledger):
    """Champions were 1, 2, 3 in turn."""
    for version, before in (("1", None), ("2", "1"), ("3", "2")):
        carry_out(NAME, version, before, {"promote": True}, ledger, uri)
    return uri


def test_it_goes_back_one_by_one_never_forth_and_ends_at_the_first(third, ledger):
    assert roll_back(NAME, ledger, third, **BY) == ("3", "2")
    assert {v.version: set(v.aliases) - {"challenger"} for v in list_versions(NAME, third)} == {
        "3": set(),
        "2": {"champion"},
        "1": {"previous"},
    }
    with pytest.raises(ArtifactError, match=r"barred on .*misses small tumors"):
        carry_out(NAME, "3", "2", {"promote": True}, ledger, third)
    assert roll_back(NAME, ledger, third, leaving="2", **BY) == ("2", "1")
    assert find_version(NAME, "previous", third) is None
    n_entries = len(read_ledger(ledger))
    with pytest.raises(ArtifactError, match=r"Expected an earlier champion .* found none before 1"):
        roll_back(NAME, ledger, third, leaving="1", **BY)
    assert len(read_ledger(ledger)) == n_entries
    assert find_version(NAME, "champion", third).version == "1"


def test_a_target_of_other_bytes_or_deleted_is_refused_and_an_older_one_can_be_named(third, ledger, flipped):
    with flipped(find_version(NAME, "2", third)), pytest.raises(ArtifactError):
        roll_back(NAME, ledger, third, **BY)
    assert find_version(NAME, "champion", third).version == "3"
    mlflow.MlflowClient(third).delete_model_version(NAME, "2")
    with pytest.raises(ArtifactError, match=r"version 2 .*was deleted. Older champions: 1; name one with --to"):
        roll_back(NAME, ledger, third, **BY)
    assert [str(entry.kind) for entry in read_ledger(ledger)] == ["decision", "champion"] * 3
    assert roll_back(NAME, ledger, third, to="1", **BY) == ("3", "1")


def test_a_deleted_champion_is_rolled_back_from(third, ledger):
    mlflow.MlflowClient(third).delete_model_version(NAME, "3")
    assert roll_back(NAME, ledger, third, **BY) == ("3", "2")
    assert find_version(NAME, "champion", third).version == "2"


def test_a_rollback_that_was_killed_and_is_given_again_goes_back_once(uri, ledger):
    for version, before in (("1", None), ("2", "1"), ("3", "2")):
        carry_out(NAME, version, before, {"promote": True}, ledger, uri)
    about = {"model_name": NAME, "version": "2", "before": "3"}
    append_entry(ledger, EntryKind.ROLLBACK, about)
    assert roll_back(NAME, ledger, uri, **BY) == ("3", "2")
    assert find_version(NAME, "champion", uri).version == "2"


@pytest.mark.parametrize(
    "again",
    [BY, BY | {"to": "2"}, BY | {"leaving": "3"}, {"leaving": "3", "to": "2", "name": "B. Jones", "reason": "as well"}],
)
def test_a_rollback_that_was_carried_out_and_is_given_again_goes_no_further(third, ledger, again):
    """Whoever was killed before anything was said, or comes second, finds it done."""
    assert roll_back(NAME, ledger, third, **BY) == ("3", "2")
    entries = read_ledger(ledger)
    assert roll_back(NAME, ledger, third, **again) == ("3", "2")
    assert read_ledger(ledger) == entries
    assert find_version(NAME, "champion", third).version == "2"


@pytest.mark.parametrize(
    ("who", "lost"),
    [({"name": " ", "reason": "misses small tumors"}, "--name"), ({"name": "A. Smith", "reason": ""}, "--reason")],
)
def test_nobody_rolls_back_for_nothing(third, ledger, who, lost):
    """A rollback bars a version for good: who and why stand in the change plan's document years later."""
    n_entries = len(read_ledger(ledger))
    with pytest.raises(ConfigError, match=f"Expected {lost} to say who decides and why"):
        roll_back(NAME, ledger, third, **who)
    assert len(read_ledger(ledger)) == n_entries
    assert find_version(NAME, "champion", third).version == "3"


@pytest.mark.parametrize("other", [BY | {"reason": "slow"}, BY | {"name": "B. Jones"}])
def test_who_rolls_back_the_same_champion_at_the_same_time_is_told_instead_of_going_one_further(third, ledger, other):
    roll_back(NAME, ledger, third, **BY)
    entries = read_ledger(ledger)
    told = r"already: .*from version 3 to version 2 \(A\. Smith: misses small tumors\).*--from 2"
    with pytest.raises(ConflictError, match=told):
        roll_back(NAME, ledger, third, **other)
    assert read_ledger(ledger) == entries


def test_a_champion_that_is_not_the_one_to_be_left_is_named(third, ledger):
    with pytest.raises(
        ConflictError, match="Expected version 2 to be the champion of lesionflow-knees, found version 3"
    ):
        roll_back(NAME, ledger, third, leaving="2", **BY)
    assert find_version(NAME, "champion", third).version == "3"
    # One further is asked for by naming what is left, or where to go.
    roll_back(NAME, ledger, third, **BY)
    assert roll_back(NAME, ledger, third, to="1", **BY) == ("2", "1")


def test_a_champion_that_was_deleted_after_a_rollback_is_left_as_any(third, ledger):
    roll_back(NAME, ledger, third, **BY)
    mlflow.MlflowClient(third).delete_model_version(NAME, "2")
    assert roll_back(NAME, ledger, third, **BY) == ("2", "1")


@pytest.mark.parametrize("asked", [{}, {"leaving": "2"}, {"leaving": "3"}, {"to": "1"}])
def test_where_the_alias_leads_elsewhere_than_the_ledger_it_asks_what_is_meant(third, ledger, asked):
    """Once it went to the ledger's champion, and barred the version that somebody had moved the alias to."""
    set_alias(NAME, "champion", "2", third)
    entries = read_ledger(ledger)
    with pytest.raises(
        ConflictError, match=r"Expected version 3 .* found version 2.*Which one is to be left can't be told"
    ):
        roll_back(NAME, ledger, third, **BY, **asked)
    assert read_ledger(ledger) == entries
    assert find_version(NAME, "champion", third).version == "2"
