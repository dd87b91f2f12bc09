"""Who is in quarantine is read from what `validate` wrote, and from nothing else."""

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.validations import QUARANTINE, read_quarantine


def test_cases_come_with_the_checks_that_put_them_there(tmp_path) -> None:
    (tmp_path / QUARANTINE).write_text('{"c-7": ["spacing", "labels"], "c-2": []}')
    assert read_quarantine(tmp_path) == {"c-7": ["spacing", "labels"], "c-2": []}


@pytest.mark.parametrize("content", [None, "", "[]", '{"c-7": 3}', '{"c-7": "spacing"}', '["c-7"]', '{"c-7"'])
def test_what_is_no_quarantine_is_refused(tmp_path, content) -> None:
    if content is not None:
        (tmp_path / QUARANTINE).write_text(content)
    with pytest.raises(ArtifactError, match="Run validate"):
        read_quarantine(tmp_path)
