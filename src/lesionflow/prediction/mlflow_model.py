"""What `mlflow models serve` and `mlflow.pyfunc.load_model` run: stored as this text, never as a pickle.

The environment that runs it has lesionflow installed; the bundle lies beside this file.
"""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd


class SegmentationModel(mlflow.pyfunc.PythonModel):
    """Segments studies that lie on disk."""

    def load_context(self, context: Any) -> None:
        """Read and verify the bundle."""
        from lesionflow.inference import Segmenter
        from lesionflow.io.stores.bundles import read_bundle

        self._bundle = read_bundle(Path(context.artifacts["bundle"]))
        self._segmenter = Segmenter(self._bundle, device="auto")

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Segment each study.

        Args:
            context: Not used.
            model_input: A row a study: `path` of a DICOM folder, a zip of one, or a NIfTI file, and `output`, a NIfTI file to write the
                mask to; empty or absent: none is written.
            params: Not used.

        Returns:
            A row a study and target: `path`, `target`, `volume_ml`.
        """
        del context, params
        rows = [row for record in model_input.to_dict("records") for row in self._segment(record)]
        return pd.DataFrame(rows, columns=["path", "target", "volume_ml"])

    def _segment(self, record: dict[str, Any]) -> list[dict[str, Any]]:
        from lesionflow.io.images.nifti import write_mask
        from lesionflow.io.inputs import read_input, unpacked
        from lesionflow.preprocessing import align_channels

        dataset = self._bundle.plan.dataset
        channels = tuple(dataset.channels)
        with unpacked(Path(record["path"])) as opened:
            study = read_input(opened, dataset)
        volume = align_channels(study.volumes, channels, channels[0], case_id=study.case_id)
        found = self._segmenter.segment(volume, case_id=study.case_id)
        if record.get("output"):
            write_mask(Path(record["output"]), found.mask)
        return [{"path": record["path"], "target": name, "volume_ml": ml} for name, ml in found.volumes_ml.items()]


mlflow.models.set_model(SegmentationModel())
