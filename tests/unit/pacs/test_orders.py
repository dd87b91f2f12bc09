"""Orders on disk, and what a kill at any moment leaves of them."""

import os

import pytest

from lesionflow.pacs.orders import Order, OrderBook, OrderState

ID = "0123456789abcdef" * 2


@pytest.fixture
def objects(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"abc")
    return {"a.dcm": tmp_path / "a.dcm"}


def test_an_order_is_known_by_its_id_whether_it_ended_or_not(tmp_path, objects):
    book = OrderBook(tmp_path / "orders")
    assert book.add(Order(ID, "ct"), objects)
    assert not book.add(Order(ID, "ct"), objects)
    (order,) = book.all_open()
    assert [path.read_bytes() for path in book.objects(order)] == [b"abc"]
    order = book.change(order, state=OrderState.FETCHED, sent=("archive/rtstruct",))
    assert OrderBook(tmp_path / "orders").find(ID) == order
    book.end(order, OrderState.DONE)
    assert list(book.all_open()) == []
    assert not book.add(Order(ID, "ct"), objects)
    assert book.find(ID).state is OrderState.DONE


def test_an_order_that_was_not_put_in_to_its_end_is_put_in_anew(tmp_path, objects):
    book = OrderBook(tmp_path / "orders")
    half = tmp_path / "orders" / "open" / f".{ID}" / "objects"
    half.mkdir(parents=True)
    (half / "a.dcm").write_bytes(b"a")
    assert list(book.all_open()) == []
    book.clear()
    assert not half.exists()
    assert book.add(Order(ID, "ct"), objects)


def test_what_ended_long_ago_is_forgotten(tmp_path, objects):
    book = OrderBook(tmp_path / "orders")
    book.add(Order(ID, "ct"), objects)
    book.end(Order(ID, "ct"), OrderState.FAILED, "irregular_spacing")
    line = tmp_path / "orders" / "done" / f"{ID}.json"
    book.forget(line.stat().st_mtime - 10)
    assert book.find(ID).error == "irregular_spacing"
    os.utime(line, (1, 1))
    book.forget(2)
    assert book.find(ID) is None
