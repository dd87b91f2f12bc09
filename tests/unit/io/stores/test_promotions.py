"""What `promote` wrote comes back, or is named."""

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.promotions import read_decision, write_decision
from support.decisions import decision


def test_a_decision_comes_back(tmp_path):
    write_decision(tmp_path / "promotion.json", decision())
    assert read_decision(tmp_path / "promotion.json") == decision()


def test_what_an_older_version_wrote_is_named(tmp_path):
    (tmp_path / "promotion.json").write_text('{"promote": true}')
    with pytest.raises(ArtifactError, match=r"Expected a decision in promotion\.json.*Run promote again"):
        read_decision(tmp_path / "promotion.json")
