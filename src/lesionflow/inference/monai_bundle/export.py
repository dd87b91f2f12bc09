"""Write a bundle as MONAI's, given away only where MONAI finds the same in it."""

import json
import tempfile
from collections.abc import Mapping
from importlib.metadata import version as version_of
from pathlib import Path
from typing import NamedTuple

from lesionflow.data.bundle import Bundle
from lesionflow.errors import ArtifactError
from lesionflow.inference.lesion_probabilities import raw_threshold
from lesionflow.inference.monai_bundle.configs import inference_config
from lesionflow.inference.monai_bundle.metadata import PACKAGES, make_license, make_metadata, make_readme
from lesionflow.inference.monai_bundle.parity import MaskParity, measure_parity, write_plain_study
from lesionflow.inference.monai_bundle.torchscript import write_program
from lesionflow.io.files import replacing_folder


class MonaiExport(NamedTuple):
    """For which MONAI it was written, and how near MONAI comes: on a study made by chance, and on one of the user's, where there is one."""

    monai_version: str
    plain: MaskParity
    study: MaskParity | None


def export_monai(
    bundle: Bundle, name: str, version: str, folder: Path, study: Mapping[str, Path] | None = None
) -> MonaiExport:
    """Write a bundle of MONAI.

    Args:
        bundle: The model.
        name: The registered model's.
        version: Of it.
        folder: What becomes the bundle; an older one there is replaced.
        study: One NIfTI file a channel, all on one grid, to compare on as well.

    Returns:
        How near MONAI's masks are to ours.

    Raises:
        ConfigError: When MONAI's transforms can't say what the model does.
        InputError: When the study can't be read.
        ArtifactError: When MONAI finds something else in the study made by chance; nothing is written.
    """
    threshold = raw_threshold(bundle.rules, bundle.temperature)
    inference = _text(inference_config(bundle.plan, bundle.rules, threshold))
    versions = {package: version_of(package) for package in ("monai", "torch", "numpy", *PACKAGES)}
    metadata = make_metadata(bundle, name, version, versions)
    with replacing_folder(folder) as partial:
        for part in ("configs", "models", "docs"):
            (partial / part).mkdir()
        (partial / "configs" / "inference.json").write_text(inference, encoding="utf-8")
        (partial / "configs" / "metadata.json").write_text(_text(metadata), encoding="utf-8")
        (partial / "LICENSE").write_text(make_license(name), encoding="utf-8")
        texts = {"metadata.json": _text(metadata), "inference.json": inference}
        write_program(bundle, partial / "models" / "model.ts", texts)
        with tempfile.TemporaryDirectory() as scratch:
            plain = measure_parity(bundle, partial, write_plain_study(bundle.plan, Path(scratch)))
        if not plain.holds:
            raise ArtifactError(
                f"Expected MONAI to find in {folder.name} what lesionflow does, found {plain.in_words}. Nothing is written; report it with the "
                "plan of the model."
            )
        (partial / "docs" / "README.md").write_text(make_readme(metadata, plain), encoding="utf-8")
        measured = measure_parity(bundle, partial, study) if study else None
    return MonaiExport(versions["monai"], plain, measured)


def _text(content: Mapping[str, object]) -> str:
    return json.dumps(content, indent=2) + "\n"
