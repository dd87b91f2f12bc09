import pytest

from lesionflow.config.challenger import InitialWeights, Trigger
from lesionflow.errors import ArtifactError
from lesionflow.workspace.retraining.request import (
    Retraining,
    Start,
    end_retraining,
    keep_before,
    read_retraining,
    table_before,
    write_retraining,
)
from support.case_tables import case_table


def test_what_is_under_way_is_read_as_it_was_written(tmp_path):
    assert read_retraining(tmp_path) is None
    starts = (Start("from scratch", "none"), Start("from the champion's weights", "models:/knees/3"))
    for asked in (
        Retraining(Trigger.DRIFT, None),
        Retraining(Trigger.DATA, InitialWeights.BOTH, ("train",), starts, 1),
    ):
        write_retraining(tmp_path, asked)
        assert read_retraining(tmp_path) == asked
    end_retraining(tmp_path)
    assert read_retraining(tmp_path) is None


def test_the_table_of_before_is_the_first_that_was_kept(tmp_path):
    assert table_before(tmp_path) is None
    keep_before(tmp_path, None)
    assert table_before(tmp_path) is None
    keep_before(tmp_path, case_table(4))
    keep_before(tmp_path, case_table(9))
    assert len(table_before(tmp_path)) == 4


def test_an_altered_file_is_told_with_what_to_do(tmp_path):
    write_retraining(tmp_path, Retraining(Trigger.DATA, None))
    (tmp_path / "reports" / "retraining" / "request.json").write_text('{"because": "x"}')
    with pytest.raises(ArtifactError, match="Remove it"):
        read_retraining(tmp_path)
