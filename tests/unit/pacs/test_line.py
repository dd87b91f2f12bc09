"""Orders from a waiting one to its end, with a service and an archive that fail at each point."""

import pytest

from lesionflow.errors import ServiceError
from lesionflow.pacs import line as line_module
from lesionflow.pacs.line import Line
from lesionflow.pacs.network_config import read_network_config
from lesionflow.pacs.orders import Order, OrderBook, OrderState
from support.pacs_peers import fake_service, wait_for, write_config

ID = "fedcba9876543210" * 2
FORMATS = ["dicom-seg", "dicom-sr"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(line_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(line_module, "POLL_S", 0.01)
    (tmp_path / "a.dcm").write_bytes(b"abc")
    with fake_service({name: name.encode() for name in FORMATS}) as service:
        config = read_network_config(
            write_config(
                tmp_path / "site",
                destinations={"archive": {"ae_title": "ARCHIVE", "host": "pacs", "port": 104}},
                rules=[
                    {
                        "name": "ct",
                        "series": [{"modality": "CT"}],
                        "formats": FORMATS,
                        "destinations": ["archive"],
                        "service": {"url": service.url},
                    }
                ],
            )
        )
        (config.spool / "receiving").mkdir(parents=True)
        book = OrderBook(config.spool / "orders")
        book.add(Order(ID, "ct"), {"a.dcm": tmp_path / "a.dcm"})
        yield config, book, service


@pytest.fixture
def stored(monkeypatch):
    sent = []
    monkeypatch.setattr(line_module, "deliver", lambda path, *_: sent.append(path.read_bytes()))
    return sent


def ended(line, book):
    line.work()
    return book.all_done()


def test_an_order_is_handed_in_fetched_and_stored(place, stored):
    config, book, service = place
    line = Line(config, book)
    (order,) = wait_for(lambda: ended(line, book), 10)
    assert (order.state, order.job) == (OrderState.DONE, ID)
    assert stored == [b"dicom-seg", b"dicom-sr"]
    assert service.studies == {ID: ["a.dcm"]}
    assert list((config.spool / "receiving").iterdir()) == []


def test_a_destination_that_fails_amid_it_gets_each_result_once(place, monkeypatch):
    config, book, _ = place
    sent, failures = [], [None, ServiceError("away"), ServiceError("away"), None]

    def deliver(path, *_):
        if (failure := failures.pop(0)) is not None:
            raise failure
        sent.append(path.read_bytes())

    monkeypatch.setattr(line_module, "deliver", deliver)
    # Each time another process, as after a kill.
    wait_for(lambda: ended(Line(config, book), book), 10)
    assert sent == [b"dicom-seg", b"dicom-sr"]


def test_a_service_that_is_away_or_full_is_asked_again_and_one_study_is_one_job(place, stored):
    config, book, service = place
    service.refuse = (429, {"code": "overloaded"})
    line = Line(config, book)
    for _ in range(20):
        line.work()
    assert book.find(ID).state is OrderState.WAITING
    assert book.find(ID).n_failures >= 1
    service.refuse = None
    (order,) = wait_for(lambda: ended(line, book), 10)
    assert (order.state, len(service.studies)) == (OrderState.DONE, 1)


def test_a_service_that_forgot_the_job_is_handed_it_anew(place, stored):
    config, book, service = place
    service.state = "running"
    line = Line(config, book)
    wait_for(lambda: line.work() or book.find(ID).state is OrderState.HANDED_IN, 10)
    service.studies.clear()
    service.state = "done"
    (order,) = wait_for(lambda: ended(line, book), 10)
    assert order.state is OrderState.DONE
    assert service.requests.count("POST") == 2


@pytest.mark.parametrize("refuse", [(422, {"code": "irregular_spacing"}), None])
def test_what_the_service_refuses_ends_with_its_reason(place, stored, refuse):
    config, book, service = place
    service.refuse, service.state, service.code = refuse, "failed", "irregular_spacing"
    line = Line(config, book)
    (order,) = wait_for(lambda: ended(line, book), 10)
    assert (order.state, order.error) == (OrderState.FAILED, "irregular_spacing")
    assert stored == []


def test_a_key_that_is_missing_is_no_fault_of_the_study(place, stored):
    config, book, service = place
    service.refuse = (401, {"code": "key_missing"})
    Line(config, book).work()
    assert book.find(ID).state is OrderState.WAITING


def test_what_the_service_failed_at_itself_is_another_job_three_times_at_most(place, stored):
    """A full disk of the service is no fault of the study, and the same key would give the same failed job for ever."""
    config, book, service = place
    service.state, service.code, service.status = "failed", "disk_full", 507
    line = Line(config, book)
    wait_for(lambda: line.work() or book.find(ID).n_rounds == 1, 20)
    assert list(book.all_open())
    service.state = "done"
    (order,) = wait_for(lambda: ended(line, book), 20)
    assert (order.state, list(service.studies)) == (OrderState.DONE, [ID, f"{ID}-1"])
    assert stored == [b"dicom-seg", b"dicom-sr"]


def test_a_service_that_fails_each_time_ends_it_with_its_reason(place, stored):
    config, book, service = place
    service.state, service.code, service.status = "failed", "worker_died", 500
    line = Line(config, book)
    (order,) = wait_for(lambda: ended(line, book), 20)
    assert (order.state, order.error, len(service.studies)) == (OrderState.FAILED, "worker_died", 3)
