"""A plan comes back to the digit; a file of another version is an artifact error."""

import json

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.plans import read_plan, write_plan
from support.bundles import small_plan


def test_a_plan_comes_back_with_its_digest(tmp_path) -> None:
    plan = small_plan().model_copy(update={"spacing_mm": (None, 0.1 + 0.2, 1 / 3)})
    write_plan(tmp_path / "plan.json", plan)
    back = read_plan(tmp_path / "plan.json")
    assert back == plan
    assert back.digest() == plan.digest()
    assert back.spacing_mm == (None, 0.30000000000000004, 1 / 3)


@pytest.mark.parametrize("change", [{"format": 2}, {"mood": "good"}, {"dimensions": 4}, {"patch_size": [1, 2]}])
def test_a_plan_of_another_version_is_refused_by_the_key(tmp_path, change) -> None:
    content = {**small_plan().model_dump(mode="json"), **change}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match=next(iter(change))):
        read_plan(tmp_path / "plan.json")


def test_a_plan_that_is_gone_says_which_step_makes_it(tmp_path) -> None:
    with pytest.raises(ArtifactError, match="Run plan again"):
        read_plan(tmp_path / "plan.json")
