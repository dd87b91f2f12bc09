"""Requests to a service, against one over HTTP."""

import zipfile

import pytest

from lesionflow.errors import ServiceError
from lesionflow.pacs.network_config import ServiceAddress
from lesionflow.pacs.service_link import RefusedOrderError, ServiceLink, _zip
from support.pacs_peers import fake_service, free_port


@pytest.fixture
def objects(tmp_path):
    paths = [tmp_path / f"{name}.dcm" for name in "ab"]
    for path in paths:
        path.write_bytes(path.name.encode() * 100)
    return paths


def test_the_same_objects_are_the_same_bytes_and_no_more_than_them(tmp_path, objects):
    for name in ("1", "2"):
        _zip(objects, tmp_path / name)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    with zipfile.ZipFile(tmp_path / "1") as archive:
        assert [archive.read(name) for name in archive.namelist()] == [path.read_bytes() for path in objects]


def test_a_study_goes_in_and_its_result_comes_out(tmp_path, objects):
    with fake_service({"rtstruct": b"outlines"}) as service:
        link = ServiceLink(ServiceAddress(url=service.url))
        job = link.hand_in(objects, "k" * 32, tmp_path / "study.zip")
        assert not (tmp_path / "study.zip").exists()
        assert link.is_done(job) is True
        assert link.fetch(job, "rtstruct", tmp_path / "r.dcm")
        assert (tmp_path / "r.dcm").read_bytes() == b"outlines"
        assert link.is_done("unknown") is None
        assert link.fetch("unknown", "rtstruct", tmp_path / "s.dcm") is False
        service.state = "running"
        assert link.is_done(job) is False
        service.state = "cancelled"
        with pytest.raises(RefusedOrderError):
            link.is_done(job)


@pytest.mark.parametrize(
    ("status", "is_final"),
    [(422, True), (413, True), (429, False), (503, False), (401, False), (507, False), (500, False)],
)
def test_what_is_said_of_the_study_is_final_and_all_else_is_tried_again(tmp_path, objects, status, is_final):
    with fake_service() as service:
        service.refuse = (status, {"code": "a_reason"})
        with pytest.raises(ServiceError) as error:
            ServiceLink(ServiceAddress(url=service.url)).hand_in(objects, "k", tmp_path / "study.zip")
    assert isinstance(error.value, RefusedOrderError) is is_final


def test_a_service_that_is_not_there_is_named(tmp_path, objects):
    with pytest.raises(ServiceError, match="Is it running"):
        ServiceLink(ServiceAddress(url=f"http://127.0.0.1:{free_port()}")).is_done("x")
