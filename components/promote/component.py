"""The step `promote` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def promote_step(
    cases: dsl.Input[dsl.Dataset],
    splits: dsl.Input[dsl.Artifact],
    evaluation: dsl.Input[dsl.Artifact],
    registration: dsl.Input[dsl.Artifact],
    params: dict,
    promotion: dsl.Output[dsl.Artifact],
) -> None:
    """Make the challenger champion if it is provably better."""
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step(
        "promote",
        params,
        {
            "cases": Path(cases.path),
            "splits": Path(splits.path),
            "evaluation": Path(evaluation.path),
            "registration": Path(registration.path),
        },
        {"promotion": Path(promotion.path)},
    )
    promotion.metadata.update(counts)
