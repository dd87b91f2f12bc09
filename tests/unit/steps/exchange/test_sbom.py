"""The bill of materials by CycloneDX's own schema."""

import json
from dataclasses import replace
from importlib.metadata import version

import pytest

from lesionflow.steps.exchange.sbom import write_sbom
from support.bundles import small_bundle


def test_it_is_cyclonedx_and_names_the_model_and_its_libraries(tmp_path):
    n = write_sbom(replace(small_bundle(), digest="ab" * 32), "knees", "3", tmp_path / "knees.cdx.json")
    text = (tmp_path / "knees.cdx.json").read_text()
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    model = bill["metadata"]["component"]
    assert (model["name"], model["version"], model["hashes"][0]["content"]) == ("knees", "3", "ab" * 32)
    found = {one["name"]: one["version"] for one in bill["components"]}
    assert len(bill["components"]) == n
    assert found["numpy"] == version("numpy")
    assert found["torch"] == version("torch")
