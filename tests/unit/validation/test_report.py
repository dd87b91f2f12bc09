import json

from lesionflow.validation.checks import CHECKS, Rule
from lesionflow.validation.expectations import Violation
from lesionflow.validation.report import findings_json, quarantine_json, reach_verdict, summary_html

SEVERITY = {**dict.fromkeys(CHECKS, "warn"), "spacing": "quarantine", "labels": "quarantine", "duplicate_image": "fail"}
SPACING = Rule("spacing", "between", "spacing_row_mm", 0.2, 10.0)
WIDE = Violation(SPACING, ("c-2", "c-7"), ("50.0", "60.0"))
UNOUTLINED = Violation(Rule("labels", "between", "has_mask", 1, 1), ("c-7",), ("0",))
LARGE = Violation(Rule("tumor_volume", "between", "tumor_ml", 0, 9), ("c-1",), ("10.0",))
COPY = Violation(Rule("duplicate_image", "unique", "image_sha256"), ("c-1", "c-3"), ("ab", "ab"))


def _verdict(*violations, n_cases=10, fraction=0.2):
    return reach_verdict(violations, SEVERITY, n_cases=n_cases, max_quarantined_fraction=fraction)


def test_a_quarantined_case_lists_each_check_once():
    verdict = _verdict(WIDE, WIDE, UNOUTLINED, LARGE)
    assert verdict.quarantine == {"c-2": ("spacing",), "c-7": ("spacing", "labels")}
    assert verdict.refusals == ()
    assert json.loads(quarantine_json(verdict)) == {"c-2": ["spacing"], "c-7": ["spacing", "labels"]}


def test_as_many_as_allowed_may_be_in_quarantine_and_one_more_may_not():
    assert _verdict(WIDE, n_cases=10, fraction=0.2).refusals == ()
    (refusal,) = _verdict(WIDE, n_cases=9, fraction=0.2).refusals
    assert "max_quarantined_fraction" in refusal
    assert "c-2, c-7" in refusal


def test_a_failing_check_refuses_the_data_without_quarantine():
    verdict = _verdict(COPY)
    assert verdict.quarantine == {}
    (refusal,) = verdict.refusals
    assert refusal.startswith("fail: duplicate_image: expected image_sha256 once only, found ab in 2 cases (c-1, c-3).")


def test_a_warning_does_nothing_but_speak():
    verdict = _verdict(LARGE)
    assert (verdict.quarantine, verdict.refusals) == ({}, ())
    assert "10.0" in verdict.findings[0].sentence


def test_the_json_holds_every_case_and_the_sentence_only_some():
    many = Violation(SPACING, tuple(f"c-{i}" for i in range(9)), ("50.0",) * 9)
    verdict = _verdict(many, n_cases=100)
    (finding,) = json.loads(findings_json(verdict))["findings"]
    assert len(finding["case_ids"]) == 9
    assert "9 cases (c-0, c-1, c-2, c-3, c-4 and 4 more)" in verdict.findings[0].sentence


def test_the_page_names_every_check_and_escapes_values():
    rule = Rule("spacing", "between", "<b>", 0, 1)
    mixes = {"site": {"s-1": 3, "<s>": 1}}
    verdict = _verdict(Violation(rule, ("<c>",), ("2",)))
    page = summary_html(verdict, [SPACING], {**SEVERITY, "shape": "off"}, mixes=mixes, sheets=["sheets/001.png"])
    assert "<li>site: s-1 3, &lt;s&gt; 1</li>" in page
    assert 'src="sheets/001.png"' in page
    assert all(f"<td>{check}</td>" in page for check in CHECKS)
    assert "<td>off</td>" in page
    assert "<b>" not in page
    assert "&lt;c&gt;" in page
    assert "https://" not in page
    assert "The data passed" in page
    assert "The data failed" in summary_html(_verdict(COPY), [], SEVERITY, mixes={}, sheets=[])
