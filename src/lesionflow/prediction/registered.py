"""What the programs of registered versions call: names and answers in here stay, wherever what is behind them moves.

A version's program (`mlflow_model.py`, stored as text with it) is run years later by the lesionflow that is installed then.
"""

from pathlib import Path

from lesionflow.inference import Segmenter
from lesionflow.io.inputs import unpacked
from lesionflow.io.signing.bundle_manifest import MANIFEST, require_trusted, verify_bundle
from lesionflow.prediction.served_model import load_model
from lesionflow.prediction.study import segment_study


class BundledModel:
    """A bundle on disk, verified and ready to segment.

    Args:
        folder: The bundle.

    Raises:
        ArtifactError: When it, or what lies around it, is not whole; or trusted keys are set and none of them signed it.
    """

    def __init__(self, folder: Path) -> None:
        # As mlflow stores it, the bundle lies with the program and its surroundings under one manifest.
        if (folder.parent.parent / MANIFEST).is_file():
            require_trusted(verify_bundle(folder.parent.parent), name="the model's folder")
        # A folder needs no registry.
        self._model = load_model(str(folder), None, "")
        self._segmenter = Segmenter(self._model.bundle, device="auto")

    def segment(self, study: Path, output: Path | None = None) -> dict[str, float]:
        """Segment a study.

        Args:
            study: A DICOM folder, a zip of one, or an image file.
            output: The NIfTI file to write the mask to; none is written without.

        Returns:
            Volume in ml by target.

        Raises:
            InputError: When the study can't be read right.
        """
        with unpacked(study) as opened:
            prediction = segment_study(self._model, self._segmenter, opened)
            if output is not None:
                prediction.write(output, "nifti")
        return prediction.segmentation.volumes_ml
