"""The end of a step `train` whose folds were trained apart, as a Kubeflow component: a declaration only."""

from typing import List  # noqa: UP035 - kfp reads no other

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train_join_step(
    parts: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    cases: dsl.Input[dsl.Dataset],
    preprocessed: dsl.Input[dsl.Dataset],
    splits: dsl.Input[dsl.Artifact],
    plan: dsl.Input[dsl.Artifact],
    params: str,
    bundle: dsl.Output[dsl.Model],
) -> None:
    """Make one bundle of all folds."""
    from pathlib import Path

    from lesionflow.steps.fan_out.parts import join_parts

    counts = join_parts(
        "train",
        params,
        {
            "cases": Path(cases.path),
            "preprocessed": Path(preprocessed.path),
            "splits": Path(splits.path),
            "plan": Path(plan.path),
        },
        [Path(part.path) for part in parts],
        {"bundle": Path(bundle.path)},
    )
    bundle.metadata.update(counts)
