"""Compile the pipeline: `python -m pipelines.compile` as it is, or as a cluster runs it.

python -m pipelines.compile --registry registry.example/team --digest sha256:... --gpu-digest sha256:... -o retrain-cluster.yaml
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kfp import compiler

from lesionflow.errors import ConfigError
from pipelines.cluster import Images, on_cluster
from pipelines.cluster_settings import Cluster, load_cluster
from pipelines.retrain import fanned_out, retrain

COMPILED = Path(__file__).with_name("retrain.yaml")
REPOSITORY = "lesionflow"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: A part of a path, and a host with or without a port (distribution's reference grammar).
PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
REGISTRY = re.compile(rf"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d{{1,5}})?(?:/{PART})*")
IMAGE_NAME = re.compile(rf"{PART}(?:/{PART})*")


def compile_to(path: Path, pipeline: Any = retrain) -> None:
    """Write a pipeline as Kubeflow reads it."""
    compiler.Compiler().compile(pipeline, str(path))


def images_of(registry: str, repository: str, digest: str, gpu_digest: str, cluster: Cluster) -> Images:
    """Name the images by what can't change: a tag may be moved, a digest is the image.

    Args:
        registry: Host and path.
        repository: Of both images below it.
        digest: Of the image for CPUs, `sha256:` and 64 hexadecimal digits.
        gpu_digest: Of that for GPUs; may be empty where no step asks for it.
        cluster: Says which steps ask for it.

    Raises:
        ConfigError: When a digest, or the place of the images, is none, or a digest that a step needs is missing.
    """
    if not REGISTRY.fullmatch(registry.rstrip("/")) or not IMAGE_NAME.fullmatch(repository):
        raise ConfigError(
            f"Expected --registry as a host and path such as registry.example/team, without a scheme, and --repository as a name in lower case, "
            f"found {registry!r} and {repository!r}. Write them as `podman pull` takes them."
        )
    of_gpu = sorted(name for name, needs in {"(usual)": cluster.usual, **cluster.steps}.items() if needs.image == "gpu")
    if of_gpu and not gpu_digest:
        raise ConfigError(
            f"Expected --gpu-digest, as the cluster file gives {', '.join(of_gpu)} the image for GPUs, found none. Name it, or give these "
            "steps the image cpu and no accelerator."
        )
    for option, value in (("--digest", digest), ("--gpu-digest", gpu_digest)):
        if value and not DIGEST.fullmatch(value):
            raise ConfigError(
                f"Expected {option} as sha256: and 64 hexadecimal digits, found {value!r}. `skopeo inspect` tells it."
            )
    place = f"{registry.rstrip('/')}/{repository}"
    return Images(f"{place}@{digest}", f"{place}@{gpu_digest}" if gpu_digest else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile from the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.compile", description=__doc__)
    parser.add_argument("--registry", help="where the images are, such as registry.example/team")
    parser.add_argument("--repository", default=REPOSITORY, help="their name there")
    parser.add_argument("--digest", help="of the image for CPUs, sha256:...")
    parser.add_argument("--gpu-digest", default="", help="of the image for GPUs")
    parser.add_argument("--cluster", type=Path, help="what pods are given; without, as pipelines/cluster.yaml")
    parser.add_argument(
        "--sweep",
        action="store_true",
        help="with the argument `candidates`: several trainings, of which the best goes on",
    )
    parser.add_argument("-o", "--output", type=Path, default=COMPILED)
    parsed = parser.parse_args(arguments)
    if not (parsed.registry or parsed.digest or parsed.cluster or parsed.gpu_digest or parsed.sweep):
        compile_to(parsed.output)
        return 0
    if not (parsed.registry and parsed.digest):
        parser.error("a cluster needs --registry and --digest: its nodes have no image of this machine")
    if parsed.output == COMPILED:
        parser.error("name another file with -o: pipelines/retrain.yaml is the form without a cluster")
    if parsed.output.suffix not in (".yaml", ".yml") or not parsed.output.parent.is_dir():
        parser.error(f"-o: expected a .yaml file in a folder that is there, found {parsed.output}")
    try:
        cluster = load_cluster(parsed.cluster)
        images = images_of(parsed.registry, parsed.repository, parsed.digest, parsed.gpu_digest, cluster)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    compile_to(parsed.output, on_cluster(fanned_out(cluster.fan_out, sweeps=parsed.sweep), cluster, images))
    sys.stdout.write(f"{parsed.output} is compiled for {images.cpu}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
