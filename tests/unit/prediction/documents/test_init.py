import json

import pytest

from lesionflow.prediction.documents import DOCUMENTS
from lesionflow.prediction.study import predict_study
from support.told_reports import good_report, hostile_report, small_picture


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("picture", [small_picture(), None])
@pytest.mark.parametrize("report", [good_report(), hostile_report()])
def test_each_is_made_of_any_report_with_or_without_a_picture(name, picture, report):
    made = DOCUMENTS[name].make(report, picture)
    assert len(made) > 500
    assert "default-src 'none'" in DOCUMENTS[name].content_policy()


def test_their_names_are_their_keys_and_no_two_files_end_alike():
    assert [one.name for one in DOCUMENTS.values()] == list(DOCUMENTS)
    assert len({one.suffix for one in DOCUMENTS.values()}) == len(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_command_line_writes_each_and_the_report_beside_it(name, model, segmenter, study, tmp_path):
    output = tmp_path / f"report{DOCUMENTS[name].suffix}"
    report = predict_study(model, segmenter, study, output, output_format=name)
    assert sorted(path.name for path in tmp_path.iterdir()) == [output.name, f"{output.name}.json"]
    assert json.loads(output.with_name(f"{output.name}.json").read_text())["case_id"] == report.case_id
    if name != "pdf":
        assert report.passport.bundle_digest in output.read_text()
    if name == "html":
        assert "data:image/png;base64," in output.read_text()
