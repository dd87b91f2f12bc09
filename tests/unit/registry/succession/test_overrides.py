import mlflow
import pytest

from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.ledger import read_ledger
from lesionflow.registry.succession import history, lift, promote_by_hand, roll_back
from lesionflow.registry.versions import find_version

NAME = "lesionflow-knees"
BY = {"name": "A. Smith", "reason": "the trial needs it"}


def test_who_promotes_by_hand_says_who_and_why_and_it_is_kept(uri, ledger):
    assert promote_by_hand(NAME, "challenger", **BY, ledger=ledger, tracking_uri=uri) == (None, "3")
    assert find_version(NAME, "champion", uri).version == "3"
    (reign,) = history(read_ledger(ledger), NAME)
    assert (reign.version, reign.by, reign.name, reign.reason) == ("3", "hand", "A. Smith", "the trial needs it")
    n_entries = len(read_ledger(ledger))
    assert promote_by_hand(NAME, "3", **BY, ledger=ledger, tracking_uri=uri) == ("3", "3")
    assert len(read_ledger(ledger)) == n_entries


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": " ", "reason": "x"}, "--name"),
        ({"name": "A. Smith", "reason": ""}, "--reason"),
        ({"name": "B. Jones", "reason": "x", "may_override": ["A. Smith"]}, r"\(A. Smith\), found 'B. Jones'"),
    ],
)
def test_nobody_for_nothing_and_who_is_not_listed_are_refused(ledger, said, words):
    with pytest.raises(ConfigError, match=words):
        promote_by_hand(NAME, "1", **said, ledger=ledger, tracking_uri="sqlite:///nowhere")
    with pytest.raises(ConfigError, match=words):
        lift(NAME, "1", **said, ledger=ledger, tracking_uri="sqlite:///nowhere")
    assert not ledger.exists()


def test_a_lost_champion_is_replaced_by_hand_and_stays_in_the_record(uri, ledger, flipped):
    promote_by_hand(NAME, "1", **BY, ledger=ledger, tracking_uri=uri)
    mlflow.MlflowClient(uri).delete_model_version(NAME, "1")
    with flipped(find_version(NAME, "2", uri)), pytest.raises(ArtifactError):
        promote_by_hand(NAME, "2", **BY, ledger=ledger, tracking_uri=uri)
    assert promote_by_hand(NAME, "2", **BY, ledger=ledger, tracking_uri=uri) == ("1", "2")
    assert [reign.version for reign in history(read_ledger(ledger), NAME)] == ["1", "2"]


def test_only_what_is_barred_is_lifted_and_then_it_may_come_back(uri, ledger):
    for version in ("1", "2"):
        promote_by_hand(NAME, version, **BY, ledger=ledger, tracking_uri=uri)
    roll_back(NAME, ledger, uri, **BY)
    with pytest.raises(ArtifactError, match=r"found version 2, barred on .* `lesionflow models lift 2 --name"):
        promote_by_hand(NAME, "2", **BY, ledger=ledger, tracking_uri=uri)
    with pytest.raises(ArtifactError, match="barred are: 2"):
        lift(NAME, "1", **BY, ledger=ledger, tracking_uri=uri)
    assert lift(NAME, "2", **BY, ledger=ledger, tracking_uri=uri).facts["name"] == "A. Smith"
    assert promote_by_hand(NAME, "2", **BY, ledger=ledger, tracking_uri=uri) == ("1", "2")
