"""The FHIR resource, as the types of HL7's own definitions (R4B, equal to R4 in these resources) read it."""

import json
import warnings

import pytest

from lesionflow.prediction.documents.diagnostic_report import make_diagnostic_report as make
from support.told_reports import doubtful_report, good_report, hostile_report

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fhir.resources.R4B.diagnosticreport import DiagnosticReport


def read(report):
    return DiagnosticReport.model_validate_json(make(report))


@pytest.mark.parametrize("report", [good_report(), doubtful_report(), hostile_report()])
def test_it_is_valid_and_its_references_lead_somewhere(report):
    found = read(report)
    held = {one.id: one for one in found.contained}
    assert len(held) == len(found.contained)
    referred = [one.reference for one in found.result]
    referred += [m.reference for one in found.contained for m in getattr(one, "hasMember", None) or ()]
    referred += [one.device.reference for one in found.contained if getattr(one, "device", None)]
    assert {name.removeprefix("#") for name in referred} == set(held)


def test_nobody_takes_it_for_a_physicians_report():
    found = read(doubtful_report())
    assert found.status == "preliminary"
    assert {one.status for one in found.contained if hasattr(one, "hasMember")} == {"preliminary"}
    assert found.conclusion.startswith("WARNING: The study is unlike")
    target = next(one for one in found.contained if one.id == "target-1")
    assert target.note[0].text.startswith("The study is unlike")
    (review,) = [one.valueBoolean for one in target.component if one.code.coding[0].code == "needs_review"]
    assert review is True


def test_figures_units_and_codes():
    found = read(good_report())
    assert found.code.coding[0].code == "18748-4"
    held = {one.id: one for one in found.contained}
    volume = held["target-1"].valueQuantity
    assert (float(volume.value), volume.code, volume.system) == (61.3, "mL", "http://unitsofmeasure.org")
    by_code = {one.code.coding[0].code: one for one in held["lesion-1-1"].component}
    # PS3.16 CID 7470: long and short axis.
    assert float(by_code["103339001"].valueQuantity.value) == 58.2
    assert float(by_code["103340004"].valueQuantity.value) == 44.9
    interval = next(one.valueRange for one in held["target-1"].component if one.valueRange)
    assert (float(interval.low.value), float(interval.high.value)) == (52.0, 70.1)
    assert held["model"].deviceName[0].name == "sts-petct"


def test_the_passport_is_whole():
    (extension,) = read(good_report()).extension
    assert json.loads(extension.valueString) == good_report()["passport"]


def test_what_nobody_knows_is_left_out():
    report = good_report()
    target = report["targets"][0]
    target |= {"volume_interval": None, "predicted_dice": None, "mean_confidence": None}
    target["lesions"][0] |= {"longest_diameter_mm": None, "perpendicular_diameter_mm": None}
    report["passport"]["created_at"] = None
    found = read(report)
    assert found.issued is None
    codes = {c.code.coding[0].code for one in found.contained for c in getattr(one, "component", None) or ()}
    assert codes == {"n_lesions", "confidence", "center"}
