"""Studies from their first object to their orders."""

import shutil
import time

import pytest

from lesionflow.io.dicom.arriving.instance_header import read_instance_header
from lesionflow.pacs.network_config import read_network_config
from lesionflow.pacs.orders import OrderBook
from lesionflow.pacs.spool import Spool, order_id
from support.dicom_factory import write_series
from support.pacs_peers import wait_for, write_config

RULE = {"name": "ct", "series": [{"modality": "CT", "min_slices": 3}], "destinations": ["archive"]}
ARCHIVE = {"archive": {"ae_title": "ARCHIVE", "host": "pacs", "port": 104}}


@pytest.fixture
def series(tmp_path):
    return write_series(tmp_path / "series", shape=(4, 8, 8))


def opened(tmp_path, **values):
    values = {"quiet_s": 0.2, "broken_quiet_s": 0.6, **values}
    config = read_network_config(
        write_config(
            tmp_path / "site", destinations=ARCHIVE, rules=[RULE], listen={"max_objects": 5, "min_free_mb": 0}, **values
        )
    )
    book = OrderBook(config.spool / "orders")
    return Spool(config, book), book


def keep(spool, paths, association=0):
    return [spool.keep(path, read_instance_header(path), association) for path in paths]


def settled(spool, book):
    spool.settle()
    return list(book.all_open())


def test_a_study_is_an_order_when_it_is_quiet_and_no_association_is_open(tmp_path, series):
    spool, book = opened(tmp_path)
    keep(spool, series.paths, association=7)
    time.sleep(0.3)
    assert settled(spool, book) == []
    spool.released(7, whole=True)
    (order,) = wait_for(lambda: settled(spool, book), 5)
    assert sorted(path.read_bytes() for path in book.objects(order)) == sorted(
        path.read_bytes() for path in series.paths
    )


def test_what_was_cut_off_waits_longer(tmp_path, series):
    spool, book = opened(tmp_path, broken_quiet_s=30.0)
    keep(spool, series.paths, association=7)
    spool.released(7, whole=False)
    time.sleep(0.4)
    assert settled(spool, book) == []


def test_the_same_objects_are_the_same_order_in_whatever_order_they_came(tmp_path, series):
    spool, book = opened(tmp_path)
    keep(spool, reversed(series.paths))
    (order,) = wait_for(lambda: settled(spool, book), 5)
    keep(spool, (*series.paths, series.paths[0]))
    time.sleep(0.4)
    assert settled(spool, book) == [order]
    assert (
        order_id("r", [("1", "a"), ("2", "b")])
        == order_id("r", [("2", "b"), ("1", "a")])
        != order_id("s", [("1", "a"), ("2", "b")])
    )


def test_a_spool_goes_on_where_a_kill_left_it(tmp_path, series):
    spool, book = opened(tmp_path)
    keep(spool, series.paths[:2])
    # Killed while it made orders of another study, and while an object came.
    complete = tmp_path / "site" / "spool" / "complete" / "x"
    shutil.copytree(series.folder, complete)
    (spool.receiving / "half.dcm").write_bytes(b"x")
    spool, book = opened(tmp_path)
    assert list(spool.receiving.iterdir()) == []
    assert len(settled(spool, book)) == 1
    keep(spool, series.paths[2:])
    time.sleep(0.5)
    assert len(settled(spool, book)) == 1


def test_a_study_has_no_more_objects_than_one_may_have(tmp_path):
    many = write_series(tmp_path / "many", shape=(7, 8, 8))
    spool, _ = opened(tmp_path)
    assert keep(spool, many.paths) == [True] * 5 + [False] * 2


def test_what_was_fetched_is_taken_up(tmp_path, series):
    spool, book = opened(tmp_path)
    shutil.copytree(series.folder, tmp_path / "site" / "spool" / "fetched" / "1")
    assert len(wait_for(lambda: settled(spool, book), 5)) == 1
    assert list((tmp_path / "site" / "spool" / "fetched").iterdir()) == []


def test_a_study_that_no_rule_asks_for_is_dropped(tmp_path):
    few = write_series(tmp_path / "few", shape=(2, 8, 8))
    spool, book = opened(tmp_path)
    keep(spool, few.paths)
    time.sleep(0.4)
    assert settled(spool, book) == []
    assert list((tmp_path / "site" / "spool" / "studies").iterdir()) == []
