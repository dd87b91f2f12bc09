"""A candidate of a sweep as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train_candidate_step(
    changes: str,
    cases: dsl.Input[dsl.Dataset],
    preprocessed: dsl.Input[dsl.Dataset],
    splits: dsl.Input[dsl.Artifact],
    plan: dsl.Input[dsl.Artifact],
    params: str,
    bundle: dsl.Output[dsl.Model],
) -> None:
    """Train with some params changed."""
    from pathlib import Path

    from lesionflow.steps.fan_out.sweep import train_candidate

    counts = train_candidate(
        params,
        changes,
        {
            "cases": Path(cases.path),
            "preprocessed": Path(preprocessed.path),
            "splits": Path(splits.path),
            "plan": Path(plan.path),
        },
        Path(bundle.path),
    )
    bundle.metadata.update(counts)
