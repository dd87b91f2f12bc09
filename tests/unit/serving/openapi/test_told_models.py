"""Types refuse what is not told."""

import pytest
from pydantic import ValidationError

from lesionflow.serving.openapi.examples import FULL_REPORT, JOB_DONE
from lesionflow.serving.openapi.told_models import JobAnswer, ResultReport


@pytest.mark.parametrize(("kind", "example"), [(JobAnswer, JOB_DONE), (ResultReport, FULL_REPORT)])
def test_a_key_more_or_less_is_another_type(kind, example):
    kind.model_validate(example)
    with pytest.raises(ValidationError):
        kind.model_validate({**example, "more": 1})
    with pytest.raises(ValidationError):
        kind.model_validate({key: value for key, value in example.items() if key != "id"})
