"""The retraining pipeline with every step in a container, by kfp's DockerRunner: run as a program, as kfp keeps one setting a process.

python -m support.pipeline_in_containers SETTINGS.json
"""

import inspect
import json
import sys
from pathlib import Path

from kfp import dsl, local
from kfp.dsl.pipeline_context import Pipeline
from kfp.local import docker_task_handler

from lesionflow.config import load_params
from lesionflow.config.loading import section_text
from lesionflow.steps import STEPS
from pipelines.retrain import retrain


def run_to_its_end(client, image, command, volumes, **options):
    """Return how a container ended. kfp's own lets it be removed at its end, and takes one that it no longer finds, as a killed one, for a success."""
    container = client.containers.run(image=image, command=command, detach=True, volumes=volumes, **options)
    try:
        for line in container.logs(stream=True, follow=True):
            print(line.decode(errors="replace"), end="")
        return container.wait()["StatusCode"]
    finally:
        container.remove(force=True)


def main(settings):
    docker_task_handler.run_docker_container = run_to_its_end
    root = Path(settings["root"])
    local.init(
        runner=local.DockerRunner(
            environment=settings["environment"],
            network_mode=settings["network"],
            user="10001:10001",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            tmpfs={"/tmp": "rw,mode=1777"},
            shm_size="256m",
            mem_limit=settings["mem_limit"],
            nano_cpus=int(settings["cpus"] * 1e9),
            pids_limit=500,
        ),
        pipeline_root=str(root),
        raise_on_error=True,
        enable_caching=True,
        cache_root=str(root / "cache"),
    )

    def build(*given, **named):
        retrain.pipeline_func(*given, **named)
        for task in Pipeline.get_default_pipeline().tasks.values():
            task.set_container_image(settings["image"])

    build.__signature__ = inspect.signature(retrain.pipeline_func)
    build.__annotations__ = retrain.pipeline_func.__annotations__
    build.__name__ = retrain.pipeline_func.__name__
    sections = load_params(Path(settings["params"]))
    change_plan = Path(settings["change_plan"])
    given = {
        "raw_path": settings["raw"],
        "data_revision": settings["data_revision"],
        "change_plan_path": str(change_plan),
        "change_plan": change_plan.read_text(),
        "project_store": str(root / "store"),
        **{name: section_text(sections[name]) for name in STEPS},
    }
    asked = inspect.signature(retrain.pipeline_func).parameters
    if "project_store" in asked:
        given["data_revision"] = ""
    dsl.pipeline(name="lesionflow-in-containers")(build)(**{name: given[name] for name in asked if name in given})


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
