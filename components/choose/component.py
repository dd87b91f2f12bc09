"""The end of a sweep as a Kubeflow component: a declaration only."""

from typing import List  # noqa: UP035 - kfp reads no other

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def choose_step(
    candidates: dsl.Input[List[dsl.Model]],  # noqa: UP006
    bundle: dsl.Output[dsl.Model],
) -> None:
    """Go on with the candidate that the validation cases say is best."""
    from pathlib import Path

    from lesionflow.steps.fan_out.sweep import choose_candidate

    counts = choose_candidate([Path(part.path) for part in candidates], Path(bundle.path))
    bundle.metadata.update(counts)
