"""Chapters in both forms hold the same, and what somebody wrote is text."""

from lesionflow.evaluation.promotion_documents.chapters import Chapter, to_html, to_markdown

CHAPTER = Chapter("Bounds", ("One sentence.",), ("an item",), ("a", "b"), (("x|y", "<i>z</i>"),))


def test_markdown_keeps_tables_whole():
    lines = to_markdown("Plan", [CHAPTER]).splitlines()
    assert lines[0] == "# Plan"
    assert lines[-9:] == [
        "## Bounds",
        "",
        "One sentence.",
        "",
        "- an item",
        "",
        "| a | b |",
        "| --- | --- |",
        "| x\\|y | <i>z</i> |",
    ]


def test_html_escapes():
    shown = to_html("<Plan>", [CHAPTER])
    assert "<h1>&lt;Plan&gt;</h1>" in shown
    assert "&lt;i&gt;z&lt;/i&gt;" in shown
    assert "<li>an item</li>" in shown


def test_what_stands_between_backticks_is_code_on_a_page():
    shown = to_html("A", [Chapter("B", ("By `lesionflow run <x>`, not `.",), items=("`one`",))])
    assert "<p>By <code>lesionflow run &lt;x&gt;</code>, not `.</p>" in shown
    assert "<li><code>one</code></li>" in shown
