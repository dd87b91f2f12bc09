"""What is asked of a fetch before anything is asked of a server."""

import pytest

from lesionflow.errors import ConfigError, ServiceError
from lesionflow.pacs import fetching
from lesionflow.pacs.fetching import fetch_study
from lesionflow.pacs.network_config import Destination, read_network_config
from support.pacs_peers import write_config

WEB = Destination(url="http://pacs/dicom-web")


class FakeWeb:
    series = ("1.2.1", "1.2.2")

    def __init__(self, *_):
        pass

    def find_series(self, study):
        return list(self.series)

    def fetch_series(self, study, series, folder):
        for n in range(2):
            (folder / f"{n}.dcm").write_text(f"{series}-{n}")
        return sorted(folder.iterdir())


def test_all_objects_lie_whole_where_the_receiver_looks(tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "DicomWeb", FakeWeb)
    config = read_network_config(write_config(tmp_path / "site"))
    (tmp_path / "work").mkdir()
    assert fetch_study(config, WEB, "1.2", tmp_path / "work") == 4
    (folder,) = (config.spool / "fetched").iterdir()
    assert sorted(path.read_text() for path in folder.iterdir()) == ["1.2.1-0", "1.2.1-1", "1.2.2-0", "1.2.2-1"]


@pytest.mark.parametrize("study", ["../x", "1.2/../..", "", "1" * 65])
def test_a_study_is_asked_for_by_a_uid_alone(tmp_path, study):
    config = read_network_config(write_config(tmp_path))
    with pytest.raises(ConfigError, match="Study Instance UID"):
        fetch_study(config, WEB, study, tmp_path)
    with pytest.raises(ConfigError, match="url"):
        fetch_study(config, Destination(ae_title="A", host="h", port=1), study, tmp_path)


def test_a_server_that_answers_with_paths_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "DicomWeb", FakeWeb)
    monkeypatch.setattr(FakeWeb, "series", ("../../x",))
    with pytest.raises(ServiceError, match="UIDs of series"):
        fetch_study(read_network_config(write_config(tmp_path)), WEB, "1.2", tmp_path)
