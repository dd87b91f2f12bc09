"""The PDF, its text taken out by the rules of ISO 32000 that fpdf2 writes it by."""

import re
import zlib

import pytest

from lesionflow.prediction.documents.report_sheet import make_report_sheet as make
from support.told_reports import doubtful_report, good_report, hostile_report, small_picture


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", pdf))


def texts_of(pdf: bytes) -> str:
    """What is drawn: glyph numbers of two bytes in strings, turned to text by the fonts' own ToUnicode maps."""
    streams = []
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            streams.append(zlib.decompress(found[1]))
        except zlib.error:
            streams.append(found[1])
    maps = [dict(re.findall(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]{4,8})>", s)) for s in streams if b"beginbfchar" in s]
    assert maps, "no font says what its glyphs mean: nobody could search or read the text aloud"
    drawn = b"".join(s for s in streams if b"BT" in s)
    return "\n".join(
        "".join(
            (
                by.get(b"%04X" % int.from_bytes(raw[i : i + 2]), b"")
                and chr(int(by[b"%04X" % int.from_bytes(raw[i : i + 2])], 16))
            )
            or "?"
            for i in range(0, len(raw), 2)
        )
        for raw in strings_of(drawn)
        for by in maps
    )


def strings_of(content: bytes) -> list[bytes]:
    found = re.findall(rb"\(((?:\\.|[^\\)])*)\)", content, re.DOTALL)
    return [
        re.sub(rb"\\(.)", lambda m: {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(m[1], m[1]), raw, flags=re.DOTALL)
        for raw in found
    ]


def test_the_same_report_gives_the_same_bytes_of_a_whole_file():
    first, second = (make(good_report(), small_picture()) for _ in range(2))
    assert first == second
    assert first.startswith(b"%PDF-")
    assert first.rstrip().endswith(b"%%EOF")
    assert b"/JavaScript" not in first
    assert b"/URI" not in first


def test_words_of_other_scripts_are_drawn_or_told_by_number():
    report = good_report()
    report["targets"][0]["name"] = "опухоль 肿"
    assert "опухоль [U+80BF]" in texts_of(make(report))


@pytest.mark.parametrize("report", [doubtful_report(), hostile_report()])
def test_every_page_of_a_doubtful_report_says_so(report):
    report["targets"][0]["lesions"] *= 120
    pdf = make(report, small_picture())
    assert pages_of(pdf) > 2
    told = texts_of(pdf)
    # Above all, on each further page, over the picture and under it.
    assert told.count("UNLIKE TRAINING DATA") >= pages_of(pdf) + 2


def test_a_report_without_doubt_fits_a_page_and_has_no_bar():
    pdf = make(good_report(), small_picture())
    assert pages_of(pdf) == 1
    assert "UNLIKE" not in texts_of(pdf)
