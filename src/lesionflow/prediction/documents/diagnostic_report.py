"""The report as a FHIR R4 DiagnosticReport (hl7.org/fhir/R4/diagnosticreport.html): preliminary, its observations and its model contained.

Codes are those of the DICOM SR of the same study where a standard has one; ours elsewhere, under a code system of our own. Units are UCUM's.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from lesionflow.prediction.documents.report_words import NO_TEXT, alerts_of, conclusion_of, place_words

SCT, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
SERVICES, OBSERVATION_CATEGORIES = (
    f"http://terminology.hl7.org/CodeSystem/{name}" for name in ("v2-0074", "observation-category")
)
#: What no standard has a name for: codes, pseudonyms and the passport of lesionflow.
OURS, CASES, RESULTS, BUNDLES, PASSPORT = (
    f"urn:lesionflow:{name}" for name in ("codes", "case", "result", "bundle", "passport")
)
MODEL = "model"


def make_diagnostic_report(report: Mapping[str, Any], picture: bytes | None = None) -> bytes:
    """Return the resource as JSON in UTF-8.

    Args:
        report: As `Report` is told in JSON.
        picture: Not held by it.
    """
    del picture
    return json.dumps(_clean(diagnostic_report(report)), ensure_ascii=False, indent=1).encode()


def diagnostic_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resource."""
    passport = report["passport"]
    observations = list(_observations(report))
    told = {
        "resourceType": "DiagnosticReport",
        "text": {"status": "generated", "div": _narrative(conclusion_of(report))},
        "contained": [_model(report), *observations],
        "extension": [{"url": PASSPORT, "valueString": json.dumps(passport, sort_keys=True, separators=(",", ":"))}],
        "identifier": [{"system": RESULTS, "value": passport["result_id"]}] if passport.get("result_id") else [],
        # Nobody but a physician makes it more.
        "status": "preliminary",
        "category": [_concept(SERVICES, "RAD", "Radiology")],
        "code": _concept(LOINC, "18748-4", "Diagnostic imaging study"),
        "subject": _subject(report),
        "issued": passport.get("created_at"),
        "result": [{"reference": f"#{one['id']}"} for one in observations if one["id"].startswith("target-")],
        "conclusion": conclusion_of(report),
    }
    return {name: value for name, value in told.items() if value not in (None, [])}


def _subject(report: Mapping[str, Any]) -> dict[str, Any]:
    # The pseudonym of the study: whose it is, whoever sent the study knows.
    return {"type": "Patient", "identifier": {"system": CASES, "value": report["case_id"]}}


def _model(report: Mapping[str, Any]) -> dict[str, Any]:
    passport = report["passport"]
    return {
        "resourceType": "Device",
        "id": MODEL,
        "identifier": [{"system": BUNDLES, "value": passport["bundle_digest"]}],
        "deviceName": [{"name": passport["model_name"], "type": "model-name"}],
        "type": {"text": "Segmentation model"},
        "version": [
            {"type": {"text": "model"}, "value": str(passport["model_version"])},
            {"type": {"text": "lesionflow"}, "value": passport["lesionflow_version"]},
        ],
        "note": [{"text": report["disclaimer"]}],
    }


def _observations(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for number, target in enumerate(report["targets"], 1):
        lesions = [
            _lesion(report, target, lesion, f"target-{number}", n) for n, lesion in enumerate(target["lesions"], 1)
        ]
        yield _target(report, target, f"target-{number}", lesions)
        yield from lesions


def _observation(report: Mapping[str, Any], name: str, code: dict[str, Any], volume_ml: float) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "preliminary",
        "category": [_concept(OBSERVATION_CATEGORIES, "imaging", "Imaging")],
        "code": code,
        "subject": _subject(report),
        "device": {"reference": f"#{MODEL}"},
        "valueQuantity": _quantity(volume_ml, "mL"),
    }


def _target(
    report: Mapping[str, Any], target: Mapping[str, Any], name: str, lesions: list[dict[str, Any]]
) -> dict[str, Any]:
    code = _concept(SCT, "118565006", "Volume", text=f"Volume of {target['name']}")
    told = _observation(report, name, code, target["volume_ml"])
    told["note"] = [{"text": text} for text in (*alerts_of(report), report["disclaimer"])]
    components = [_component("n_lesions", "Number of lesions", valueInteger=target["n_lesions"])]
    if target["mean_confidence"] is not None:
        mean = _quantity(target["mean_confidence"], "1")
        components.append(_component("mean_confidence", "Mean probability of the voxels", valueQuantity=mean))
    if interval := target["volume_interval"]:
        ends = {end: _quantity(interval[f"{end}_ml"], "mL") for end in ("low", "high")}
        components += [
            _component("interval", "Volume interval", valueRange=ends),
            _component(
                "coverage",
                "Probability that the volume interval holds",
                valueQuantity=_quantity(interval["coverage"], "1"),
            ),
        ]
    if dice := target["predicted_dice"]:
        components.append(_component("predicted_dice", "Predicted Dice", valueQuantity=_quantity(dice["value"], "1")))
        if dice["needs_review"] is not None:
            components.append(_component("needs_review", "Needs review", valueBoolean=dice["needs_review"]))
    told["component"] = components
    if lesions:
        told["hasMember"] = [{"reference": f"#{lesion['id']}"} for lesion in lesions]
    return told


def _lesion(
    report: Mapping[str, Any], target: Mapping[str, Any], lesion: Mapping[str, Any], of: str, number: int
) -> dict[str, Any]:
    code = _concept(SCT, "118565006", "Volume", text=f"Volume of lesion {number} of {target['name']}")
    told = _observation(report, f"lesion-{of.removeprefix('target-')}-{number}", code, lesion["volume_ml"])
    components = [
        _component("confidence", "Probability that it is a lesion", valueQuantity=_quantity(lesion["confidence"], "1"))
    ]
    for field, sct, words in (
        ("longest_diameter_mm", "103339001", "Long axis"),
        ("perpendicular_diameter_mm", "103340004", "Short axis"),
    ):
        if lesion.get(field) is not None:
            quantity = _quantity(lesion[field], "mm")
            components.append({"code": _concept(SCT, sct, words), "valueQuantity": quantity})
    center = f"{place_words(lesion['center_mm'])} mm"
    components.append(_component("center", "Center in DICOM patient coordinates", valueString=center))
    told["component"] = components
    return told


def _component(code: str, words: str, **value: Any) -> dict[str, Any]:
    return {"code": _concept(OURS, code, words), **value}


def _concept(system: str, code: str, display: str, *, text: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": text or display}


def _quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _narrative(text: str) -> str:
    div = ET.Element("div", xmlns="http://www.w3.org/1999/xhtml")
    for line in text.splitlines():
        ET.SubElement(div, "p").text = NO_TEXT.sub("\ufffd", line)
    return ET.tostring(div, encoding="unicode")


def _clean(value: Any) -> Any:
    """Return the same without what no FHIR string may hold."""
    if isinstance(value, dict):
        return {key: _clean(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_clean(one) for one in value]
    return NO_TEXT.sub("\ufffd", value) if isinstance(value, str) else value
