"""How far a study is, across processes; and that nothing breaks where it can't be told."""

import pytest

from lesionflow.serving.accepted.stages import (
    NAME_OF_STAGE,
    StageReached,
    StudyStage,
    prefix_of,
    stage_reached,
    tell_stage,
)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / f"{prefix_of('a' * 32)}xyz"
    made.mkdir()
    return made


def found(folder, job_id="a" * 32):
    return stage_reached(folder.parent, job_id)


def test_what_is_told_is_read(folder):
    tell_stage(folder, StageReached(StudyStage.SEGMENTING, 3, 12))
    reached = found(folder)
    assert (reached, reached.fraction) == (StageReached(StudyStage.SEGMENTING, 3, 12), 0.25)
    tell_stage(folder, StageReached(StudyStage.WRITING))
    assert (found(folder).stage, found(folder).fraction) == ("writing", None)
    assert [path.name for path in folder.iterdir()] == [NAME_OF_STAGE]
    assert found(folder, "b" * 32) is None


def test_a_fraction_is_none_or_at_most_one():
    assert [StageReached(StudyStage.READING, n, of).fraction for n, of in ((0, 0), (0, 4), (5, 4))] == [None, 0.0, 1.0]


@pytest.mark.parametrize("content", ["", "{", "[]", '["flying", 1, 2]', '["reading", null, 2]', "3"])
def test_what_is_no_stage_is_not_known(folder, content):
    (folder / NAME_OF_STAGE).write_text(content)
    assert found(folder) is None


def test_a_study_goes_on_where_its_stage_can_not_be_written(folder):
    folder.rmdir()
    tell_stage(folder, StageReached(StudyStage.READING))
    assert found(folder) is None
