"""The folder beside the bundle that lets a killed training go on; of several folds, one in it for each."""

import shutil
from pathlib import Path

from lesionflow.io.files import replacing_file, write_text
from lesionflow.training import TrainingState
from lesionflow.training.pictures.curves import history_csv

KEY, RUN_ID, CHECKPOINT, HISTORY, STOP = "key", "run_id", "last.ckpt", "history.csv", "stop"


class WorkFolder:
    """Checkpoint, history and MLflow run of one training; begun anew when what is trained changed.

    Args:
        path: Where.
        key: Digest of all that decides the result: params, plan, split and data.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        if self._read(KEY) != key:
            shutil.rmtree(path, ignore_errors=True)
            write_text(path / KEY, key)
        # One that was made for a training killed since would end this one at once.
        self.stop_file.unlink(missing_ok=True)

    @classmethod
    def beside(cls, bundle: Path, key: str) -> "WorkFolder":
        """Open the folder that belongs to a bundle: `candidate` has `candidate.work`."""
        return cls(bundle.with_name(f"{bundle.name}.work"), key)

    def inside(self, name: str, key: str) -> "WorkFolder":
        """Open the folder of one of several trainings in this one."""
        return WorkFolder(self.path / name, key)

    @property
    def stop_file(self) -> Path:
        """The file that somebody makes to end training after the present batch."""
        return self.path / STOP

    @property
    def run_id(self) -> str:
        """The MLflow run begun earlier, empty when there is none."""
        return self._read(RUN_ID)

    def keep_run_id(self, run_id: str) -> None:
        """Remember the MLflow run."""
        write_text(self.path / RUN_ID, run_id)

    def load(self) -> TrainingState | None:
        """Return the last state kept, None when there is none.

        Raises:
            ArtifactError: When the checkpoint is broken.
        """
        checkpoint = self.path / CHECKPOINT
        return TrainingState.from_bytes(checkpoint.read_bytes()) if checkpoint.exists() else None

    def keep(self, state: TrainingState) -> None:
        """Keep a state, whole or not at all, and its history as CSV."""
        with replacing_file(self.path / CHECKPOINT) as partial:
            partial.write_bytes(state.to_bytes())
        write_text(self.path / HISTORY, history_csv(state.history))

    def remove(self) -> None:
        """Remove the folder: the bundle is written."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _read(self, name: str) -> str:
        file = self.path / name
        return file.read_text(encoding="utf-8") if file.exists() else ""
