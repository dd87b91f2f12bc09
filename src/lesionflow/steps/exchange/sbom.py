"""The software bill of materials of a model: CycloneDX 1.6 (ECMA-424), the model itself and the libraries that it runs with here."""

import json
import uuid
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from lesionflow.data.bundle import Bundle
from lesionflow.io.files import write_text

SPECIFICATION = "1.6"


def write_sbom(bundle: Bundle, name: str, version: str, path: Path) -> int:
    """Write what a model runs with.

    Args:
        bundle: The model.
        name: The registered model's.
        version: Of it.
        path: The file, ending in `.cdx.json`.

    Returns:
        How many libraries are named: all that are installed here.
    """
    card = bundle.card
    libraries = sorted({(str(d.name).lower().replace("_", "-"), d.version) for d in distributions() if d.name})
    model: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{bundle.digest}",
        "name": name,
        "version": version,
        "hashes": [{"alg": "SHA-256", "content": bundle.digest}],
        "modelCard": {
            "modelParameters": {
                "task": "segmentation",
                "architectureFamily": "convolutional neural network",
                "modelArchitecture": bundle.plan.architecture.name,
            }
        },
        "properties": [
            {"name": f"lesionflow:{key}", "value": str(getattr(card, key))}
            for key in ("code_revision", "data_revision", "plan_sha256", "lesionflow_version", "run_id")
        ],
    }
    content = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        # The same for the same model and libraries.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{bundle.digest}{libraries}')}",
        "version": 1,
        "metadata": {"component": model},
        "components": [
            {"type": "library", "bom-ref": f"pkg:pypi/{n}@{v}", "name": n, "version": v, "purl": f"pkg:pypi/{n}@{v}"}
            for n, v in libraries
        ],
        "dependencies": [{"ref": model["bom-ref"], "dependsOn": [f"pkg:pypi/{n}@{v}" for n, v in libraries]}],
    }
    write_text(path, json.dumps(content, indent=2) + "\n")
    return len(libraries)
