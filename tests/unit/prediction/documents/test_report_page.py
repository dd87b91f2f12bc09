"""The page as another parser reads it."""

import base64
import hashlib
from html.parser import HTMLParser

import pytest

from lesionflow.prediction.documents.report_page import content_policy
from lesionflow.prediction.documents.report_page import make_report_page as make
from support.told_reports import HOSTILE, UNLIKE, doubtful_report, good_report, hostile_report, small_picture


class Seen(HTMLParser):
    """Tags with their attributes in order, and the text below each tag's name."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags, self.texts, self._open = [], [], []
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self._open[-1] if self._open else "", data))


def test_nothing_hostile_runs_and_nothing_is_asked_of_another_host():
    seen = Seen(make(hostile_report(), small_picture()))
    names = {tag for tag, _ in seen.tags}
    assert not names & {"script", "iframe", "object", "link", "base", "form", "svg"}
    attributes = {name for _, found in seen.tags for name in found}
    assert attributes <= {"lang", "charset", "http-equiv", "content", "name", "class", "role", "scope", "src", "alt"}
    assert [found["src"][:22] for tag, found in seen.tags if tag == "img"] == ["data:image/png;base64,"]
    assert len([tag for tag, _ in seen.tags if tag == "style"]) == 1
    told = "\n".join(text for _, text in seen.texts)
    assert HOSTILE.replace("\x1b", "\ufffd").replace("\x00", "\ufffd") in told
    assert not set("\x00\x1b") & set(told)


def test_the_policy_allows_the_style_that_is_there_and_no_other():
    seen = Seen(make(good_report()))
    (style,) = [text for tag, text in seen.texts if tag == "style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (meta,) = [found["content"] for _, found in seen.tags if found.get("http-equiv") == "Content-Security-Policy"]
    for policy in (meta, content_policy()):
        assert f"style-src 'sha256-{digest}'" in policy
        assert policy.startswith("default-src 'none'")
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "http" not in policy


def test_warnings_stand_above_everything_and_on_the_pictures_frame():
    page = make(doubtful_report(), small_picture()).decode()
    order = [page.index(text) for text in ("UNLIKE TRAINING DATA", UNLIKE, "<h1>", "61.30 ml", "<figure", "<img")]
    assert order == sorted(order)
    figure = page[page.index("<figure") : page.index("</figure>")]
    before, after = figure.split("<img")
    assert 'class="doubted"' in before
    for part in (before, after):
        assert "UNLIKE TRAINING DATA" in part
        assert "NEEDS REVIEW" in part


def test_a_report_without_doubt_has_no_frame_and_still_says_what_it_is_for():
    page = make(good_report(), small_picture()).decode()
    assert "doubted" not in page.split("</style>")[1]
    assert page.count(good_report()["disclaimer"]) == 2
    assert page.index(good_report()["disclaimer"]) < page.index("<h1>")


@pytest.mark.parametrize("text", ["L 41.0, A 12.5, H 873.0", "58.2", "928bc8b", "sts-petct version 7"])
def test_it_says_what_the_report_says(text):
    assert text in make(good_report()).decode()


def test_without_a_picture_it_says_so():
    assert "No picture was kept" in make(good_report()).decode()
