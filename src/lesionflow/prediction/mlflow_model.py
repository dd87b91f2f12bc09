"""What `mlflow models serve` and `mlflow.pyfunc.load_model` run: stored as this text, never as a pickle.

The environment that runs it has lesionflow installed; the bundle lies beside this file. As a stored text can't be mended when
the package is, it imports `lesionflow.prediction.registered` alone, whose names are kept for it.
"""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd


class SegmentationModel(mlflow.pyfunc.PythonModel):
    """Segments studies that lie on disk."""

    def load_context(self, context: Any) -> None:
        """Read and verify the bundle."""
        from lesionflow.prediction.registered import BundledModel

        self._model = BundledModel(Path(context.artifacts["bundle"]))

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
        output = record.get("output")
        volumes_ml = self._model.segment(Path(record["path"]), Path(output) if output else None)
        return [{"path": record["path"], "target": name, "volume_ml": ml} for name, ml in volumes_ml.items()]


mlflow.models.set_model(SegmentationModel())
