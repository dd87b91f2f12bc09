"""Compile the pipeline to `pipelines/retrain.yaml`: `python -m pipelines.compile`."""

from pathlib import Path

from kfp import compiler

from pipelines.retrain import retrain

COMPILED = Path(__file__).with_name("retrain.yaml")


def compile_to(path: Path) -> None:
    """Write the pipeline as Kubeflow reads it."""
    compiler.Compiler().compile(retrain, str(path))


if __name__ == "__main__":
    compile_to(COMPILED)
