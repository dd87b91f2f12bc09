"""The step `train` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train_step(
    cases: dsl.Input[dsl.Dataset],
    preprocessed: dsl.Input[dsl.Dataset],
    splits: dsl.Input[dsl.Artifact],
    plan: dsl.Input[dsl.Artifact],
    params: str,
    bundle: dsl.Output[dsl.Model],
) -> None:
    """Train the network; write the bundle."""
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step(
        "train",
        params,
        {
            "cases": Path(cases.path),
            "preprocessed": Path(preprocessed.path),
            "splits": Path(splits.path),
            "plan": Path(plan.path),
        },
        {"bundle": Path(bundle.path)},
    )
    bundle.metadata.update(counts)
