"""The step `promote` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def promote_step(
    cases: dsl.Input[dsl.Dataset],
    splits: dsl.Input[dsl.Artifact],
    evaluation: dsl.Input[dsl.Artifact],
    registration: dsl.Input[dsl.Artifact],
    change_plan: str,
    params: str,
    promotion: dsl.Output[dsl.Artifact],
    decision: dsl.Output[dsl.HTML],
) -> None:
    """Make the challenger champion if it is provably better."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from lesionflow.steps import run_step

    with TemporaryDirectory() as folder:
        plan = Path(folder) / "change_plan.yaml"
        plan.write_text(change_plan, encoding="utf-8")
        counts = run_step(
            "promote",
            params,
            {
                "cases": Path(cases.path),
                "splits": Path(splits.path),
                "evaluation": Path(evaluation.path),
                "registration": Path(registration.path),
                "change_plan": plan,
            },
            {"promotion": Path(promotion.path), "decision": Path(decision.path)},
        )
    promotion.metadata.update(counts)
