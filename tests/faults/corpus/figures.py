"""Names that MLflow refuses only when the scores are to be logged, long after the training: here taken from the start."""

from faults.corpus.fault import CT, Fault, Right, ingest_section
from faults.corpus.labels import N_COLUMN, nnunet

FAULTS = (
    Fault(
        name="label-names-that-mlflow-refuses",
        source="mlflow#9425",
        met="A metric's name with a bracket or a comma was refused when it was logged, after all that it was of had been computed.",
        answer="The labels `GTV (T)` and `NCR/NET` are taken as they are; MLflow, files and uploads get `GTV_T` and `NCR_NET`.",
        make=nnunet({"background": 0, "GTV (T)": 1, "NCR/NET": 2}, (0, 1, 1, 2, 0, 0)),
        right=Right(voxels={"GTV (T)": 2 * N_COLUMN, "NCR/NET": N_COLUMN}, n_cases=1),
        ingest=ingest_section(CT, {"GTV (T)": 1, "NCR/NET": 2}),
    ),
)
