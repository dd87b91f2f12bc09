"""The report as one HTML page that needs nothing beside it: no script, no other host, nothing that is not escaped.

It is built as a tree, whose texts and attributes the standard library escapes when it is written: no value is ever pasted into HTML.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any
from xml.etree import ElementTree as ET

from lesionflow.prediction.documents.report_words import (
    LESION_HEADS,
    LESION_NOTE,
    NO_TEXT,
    REVIEW,
    TITLE,
    alerts_of,
    doubt_of,
    model_words,
    passport_rows,
    target_words,
)


def make_report_page(report: Mapping[str, Any], picture: bytes | None = None) -> bytes:
    """Return the page in UTF-8.

    Args:
        report: As `Report` is told in JSON.
        picture: The overlay as PNG.
    """
    html = ET.Element("html", lang="en")
    head = ET.SubElement(html, "head")
    ET.SubElement(head, "meta", charset="utf-8")
    ET.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _meta_policy()})
    ET.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "title", f"{TITLE}: {report['case_id']}")
    # The tree's writer leaves the text of <style> as it is.
    ET.SubElement(head, "style").text = _style()
    body = ET.SubElement(html, "body")
    _alerts(body, report)
    top = ET.SubElement(body, "header")
    _add(top, "h1", f"{TITLE}: {report['case_id']}")
    _add(top, "p", f"Segmented by {model_words(report)}. Preliminary: no physician has looked at it.", kind="note")
    main = ET.SubElement(body, "main")
    for target in report["targets"]:
        _target(main, target)
    _picture(main, report, picture)
    _passport(main, report)
    _add(ET.SubElement(body, "footer"), "p", report["disclaimer"])
    return b"<!doctype html>\n" + ET.tostring(html, encoding="utf-8", method="html") + b"\n"


def content_policy() -> str:
    """Return the Content-Security-Policy of the page: its own style by hash, its own pictures, and nothing else at all."""
    return f"{_meta_policy()}; frame-ancestors 'none'; sandbox"


@cache
def _style() -> str:
    return resources.files(__package__).joinpath("report_page.css").read_text("utf-8")


@cache
def _meta_policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def _add(parent: ET.Element, tag: str, text: object, kind: str = "") -> ET.Element:
    made = ET.SubElement(parent, tag, {"class": kind} if kind else {})
    made.text = _plain(text)
    return made


def _plain(text: object) -> str:
    return NO_TEXT.sub("\ufffd", str(text))


def _alerts(body: ET.Element, report: Mapping[str, Any]) -> None:
    box = ET.SubElement(body, "section", {"class": "alerts", "role": "alert"})
    if doubt := doubt_of(report):
        _add(box, "p", doubt, kind="doubt")
    alerts = alerts_of(report)
    if alerts:
        _add(box, "h2", "Warnings")
        listed = ET.SubElement(box, "ul")
        for alert in alerts:
            _add(listed, "li", alert)
    else:
        box.set("class", "alerts none")
        _add(box, "p", "No warning.")
    _add(box, "p", report["disclaimer"], kind="disclaimer")


def _target(main: ET.Element, target: Mapping[str, Any]) -> None:
    words = target_words(target)
    section = ET.SubElement(main, "section", {"class": "target review" if words.needs_review else "target"})
    _add(section, "h2", words.name)
    first, *others = words.sentences
    _add(section, "p", first, kind="figure")
    for sentence in others:
        _add(section, "p", sentence, kind="bad" if sentence == REVIEW else "")
    if not words.lesions:
        return
    table = ET.SubElement(ET.SubElement(section, "div", {"class": "scroll"}), "table")
    _add(table, "caption", f"Lesions of {words.name}")
    row = ET.SubElement(ET.SubElement(table, "thead"), "tr")
    for head in LESION_HEADS:
        _add(row, "th", head).set("scope", "col")
    rows = ET.SubElement(table, "tbody")
    for lesion in words.lesions:
        row = ET.SubElement(rows, "tr")
        for cell in lesion:
            _add(row, "td", cell)
    _add(section, "p", LESION_NOTE, kind="note")


def _picture(main: ET.Element, report: Mapping[str, Any], picture: bytes | None) -> None:
    section = ET.SubElement(main, "section")
    _add(section, "h2", "The mask on the study")
    if picture is None:
        _add(section, "p", "No picture was kept with this result: ask for the study's report as JSON, or for a mask.")
        return
    doubt = doubt_of(report)
    figure = ET.SubElement(section, "figure", {"class": "doubted"} if doubt else {})
    if doubt:
        _add(figure, "p", doubt, kind="frame")
    source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    ET.SubElement(figure, "img", src=source, alt="The slice with most of the mask, its outline drawn in orange")
    if doubt:
        _add(figure, "p", doubt, kind="frame")
    _add(figure, "figcaption", "The slice with most of the mask; the outline in orange. No measure may be taken on it.")


def _passport(main: ET.Element, report: Mapping[str, Any]) -> None:
    section = ET.SubElement(main, "section", {"class": "passport"})
    _add(section, "h2", "Where it comes from")
    table = ET.SubElement(section, "table")
    _add(table, "caption", "The passport, in short: lesionflow trace checks those of the mask and of the JSON report")
    rows = ET.SubElement(table, "tbody")
    for name, value in passport_rows(report):
        row = ET.SubElement(rows, "tr")
        _add(row, "th", name).set("scope", "row")
        _add(ET.SubElement(row, "td"), "code", value)
