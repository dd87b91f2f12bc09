"""What ends every run on a cluster, whatever became of it, as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def close_runs_step(status: dsl.PipelineTaskFinalStatus, pipeline_run: str) -> None:
    """Close the MLflow runs that a pipeline's run left open, and say why."""
    from lesionflow.registry.abandoned_runs import close_left_open

    close_left_open(pipeline_run, state=status.state, error_code=status.error_code, error_message=status.error_message)
