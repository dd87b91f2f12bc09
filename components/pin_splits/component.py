"""Give a split that was made anew, and is the same, the place of the last one: what follows is keyed by what it is, not by when it was made."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def pin_splits_step(
    project_store: str,
    pin: str,
    splits: dsl.Output[dsl.Artifact],
) -> None:
    """Take the split that `pin` names out of the project store."""
    from pathlib import Path

    from lesionflow.steps.pinned_split import take_pinned

    take_pinned(project_store, pin, Path(splits.path))
