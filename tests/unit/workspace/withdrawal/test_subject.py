"""What a killed withdrawal is finished from; who is found is held in `test_run.py`."""

import json

from lesionflow.workspace.withdrawal.subject import Subject


def test_a_subject_comes_back_from_its_journal():
    subject = Subject("p-1", "mark", ("p-1", "c-1", "Anna"), ("c-1",), ("/raw/a",), ())
    assert Subject.of_journal(json.loads(json.dumps(subject.as_journal()))) == subject
