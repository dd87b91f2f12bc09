"""Which version a bundle became comes back as it was written."""

import json

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.registrations import Registration, read_registration, write_registration

GIVEN = {"model_name": "knees", "version": "3", "run_id": "r", "bundle_digest": "d" * 64, "alias": "challenger"}


def test_a_registration_comes_back(tmp_path) -> None:
    write_registration(tmp_path / "reports" / "registration.json", Registration(**GIVEN))
    assert read_registration(tmp_path / "reports" / "registration.json") == Registration(**GIVEN)
    assert json.loads((tmp_path / "reports" / "registration.json").read_text()) == GIVEN


@pytest.mark.parametrize("change", [{"version": 3}, {"mood": "good"}, {"alias": None}])
def test_other_content_is_refused(tmp_path, change) -> None:
    (tmp_path / "registration.json").write_text(json.dumps({**GIVEN, **change}))
    with pytest.raises(ArtifactError, match="Run register"):
        read_registration(tmp_path / "registration.json")


def test_one_that_is_gone_is_refused(tmp_path) -> None:
    with pytest.raises(ArtifactError, match=r"registration\.json"):
        read_registration(tmp_path / "registration.json")
