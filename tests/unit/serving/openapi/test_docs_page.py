"""The page tells what the document tells, asks nothing of other hosts, and runs nothing."""

from html.parser import HTMLParser

import pytest

from lesionflow.serving.openapi.docs_page import docs_page
from lesionflow.serving.openapi.document import openapi_document

VOID = {"meta", "link", "br"}


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.addresses, self.tags, self.text = [], [], [], set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src"):
                self.addresses.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def read():
    reader = Reader()
    reader.feed(docs_page(openapi_document(), "https://lesions.example.org"))
    reader.close()
    return reader


def test_it_is_whole_and_its_anchors_lead_somewhere(read):
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))
    assert {address[1:] for address in read.addresses if address.startswith("#")} <= set(read.ids)


def test_nothing_comes_from_elsewhere_and_nothing_runs(read):
    assert all(address.startswith(("/", "#", "data:,")) and not address.startswith("//") for address in read.addresses)
    assert not {"script", "style", "img", "iframe"} & read.tags


def test_each_operation_has_its_place_with_its_examples(read):
    document = openapi_document()
    names = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert set(names) <= set(read.ids)
    text = "".join(read.text)
    for item in document["paths"].values():
        for operation in item.values():
            for sample in operation["x-codeSamples"]:
                assert sample["source"].replace("{server}", "https://lesions.example.org") in text


def test_what_a_document_says_is_text_and_no_markup():
    document = {
        "info": {"title": "<b>", "version": "1", "description": "a `<x>` & **b**"}, "paths": {}, "tags": [],
        "components": {"schemas": {"<T>": {"description": "<script>"}}},
    }  # fmt: skip
    page = docs_page(document, "http://a")
    assert "<script>" not in page
    assert "<h1>&lt;b&gt; 1</h1>" in page
    assert "<code>&lt;x&gt;</code> &amp; <strong>b</strong>" in page
