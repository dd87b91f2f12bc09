"""The product from its images: `make test-containers` builds them. Outputs are what is asserted; kfp's runner has told a failed step as a success."""

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from lesionflow import __version__
from lesionflow.config.presets import PRESETS
from lesionflow.io.images.nifti import read_mask
from lesionflow.phantoms import write_phantoms
from support.change_plans import write_demonstration_plan
from support.container_engine import USER, engine_or_skip, image_or_skip
from support.servers import await_health, free_port, mariadb, postgresql

ROOT = Path(__file__).resolve().parents[2]
WHOLE = pytest.mark.skipif(
    "LESIONFLOW_TEST_CONTAINERS" not in os.environ, reason="minutes of containers: make test-containers"
)
pytestmark = pytest.mark.timeout(1800)
MODEL = "lesionflow-contained"
MLFLOW = "http://127.0.0.1:5000"
N_PATIENTS = 12
KEY = "00" * 32
#: In the order in which they run.
TASKS = (
    "find_data",
    "ingest",
    "validate",
    "split",
    "pin_splits",
    "plan",
    "preprocess",
    "train",
    "evaluate",
    "register",
    "promote",
)


@pytest.fixture(scope="module")
def engine():
    return engine_or_skip()


@pytest.fixture(scope="module")
def trainer(engine):
    return image_or_skip(engine, "train-cpu")


@pytest.fixture(scope="module")
def server(engine):
    return image_or_skip(engine, "serve")


@pytest.mark.parametrize(("target", "largest_gb"), [("serve", 1.2), ("train-cpu", 2.0)])
def test_an_image_is_small_and_says_what_it_is(engine, target, largest_gb):
    about = engine.inspect(image_or_skip(engine, target))
    assert about["Size"] < largest_gb * 1e9
    labels, config = about["Labels"], about["Config"]
    assert config["User"] == USER
    assert labels["org.opencontainers.image.version"] == __version__
    revision = labels["org.opencontainers.image.revision"]
    assert len(revision.removesuffix("-dirty")) == 40
    assert f"LESIONFLOW_CODE_REVISION={revision}" in config["Env"]
    # Podman tells it beside the configuration.
    assert (target == "serve") == ("Healthcheck" in config | about)


@pytest.mark.parametrize("target", ["serve", "train-cpu"])
def test_it_works_without_root_capabilities_network_or_a_file_that_can_be_written(engine, target):
    image = image_or_skip(engine, target)
    code = (
        "import json, os, pathlib; from importlib.metadata import distributions; from lesionflow.steps.revision import code_revision;"
        "status = pathlib.Path('/proc/self/status').read_text(); sbom = json.load(open('/opt/venv/sbom.cdx.json'));"
        "there = sorted(d.name.lower().replace('_', '-').replace('.', '-') for d in distributions() if d.name != 'lesionflow');"
        "listed = sorted(c['name'].lower().replace('_', '-').replace('.', '-') for c in sbom['components']);"
        "print(json.dumps([os.getuid(), status.split('CapEff:')[1].split()[0], code_revision(), listed == there, len(there)]));"
        "open('/opt/lesionflow/x', 'w')"
    )
    done = engine.run(image, "python", "-c", code)
    assert "Read-only file system" in done.stderr
    user, capabilities, revision, listed, n_packages = json.loads(done.stdout)
    assert (user, int(capabilities, 16), listed) == (10001, 0, True)
    assert f"LESIONFLOW_CODE_REVISION={revision}" in engine.inspect(image)["Config"]["Env"]
    assert n_packages > 100


# From here on: the whole way. Everything lies in one folder that 10001 may write to, and no container has a network but one loopback
# that the stores are on.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("contained")


@pytest.fixture(scope="module")
def stores(engine, trainer, folder):
    """Return the container that owns the network, with MLflow's server beside it."""
    kept = folder / "mlflow"
    kept.mkdir()
    os.chown(kept, 10001, 10001)
    alone = engine.started("lesionflow-net", trainer, "sleep", "86400", options=("--network=none",))
    with alone as net, mlflow_server(engine, trainer, kept, net):
        yield net


def mlflow_server(engine, image, kept, net):
    command = ["mlflow", "server", "--host=127.0.0.1", "--port=5000", "--workers=1", "--serve-artifacts"]
    command += [f"--backend-store-uri=sqlite:///{kept}/mlflow.db", f"--artifacts-destination={kept}/artifacts"]
    options = (f"--network=container:{net}", f"--volume={kept}:{kept}", "--memory=2g")
    started = engine.started("lesionflow-mlflow", image, *command, options=options)
    return ready(engine, started, f"{MLFLOW}/health", net)


@contextmanager
def ready(engine, started, url, net):
    """Enter a started container once it answers at a URL of the network that it is in."""
    with started as name:
        end = time.monotonic() + 600
        while engine.within(net, "curl", "-sf", url, check=False).returncode:
            if time.monotonic() > end:
                logs = engine.podman("logs", "--tail=50", name, check=False)
                raise AssertionError(f"{name} is not ready: {logs.stdout} {logs.stderr}")
            time.sleep(1)
        yield name


@pytest.fixture(scope="module")
def project(folder):
    """Return the pipeline's root, with studies and params in it: kfp mounts nothing else."""
    root = folder / "root"
    write_phantoms(root / "raw", n_cases=N_PATIENTS, seed=11, file_format="dicom", modality="ct")
    content = yaml.safe_load((PRESETS / "phantom_ct.yaml").read_text(encoding="utf-8"))
    content["plan"] |= {"patch_size": [3, 64, 64], "batch_size": 4}
    content["plan"]["architecture"]["options"] |= {"base_channels": 4, "depth": 2}
    content["train"] |= {"max_epochs": 6, "batches_per_epoch": 20, "max_minutes": 20.0}
    for section in content.values():
        section |= {key: MODEL for key in ("model_name", "champion_model_name") if key in section}
    (root / "small.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    write_demonstration_plan(root)
    (root / "store").mkdir()
    for path in (root, *root.rglob("*")):
        os.chown(path, 10001, 10001)
    return root


@pytest.fixture(scope="module")
def registry(engine, trainer, folder):
    """Yield the image as a registry on loopback has it, by digest; the node's own copy by that name is gone."""
    with engine.registry(folder) as place:
        name = f"{place}/lesionflow:{__version__}-train-cpu"
        digest_file = folder / "digest"
        # Compressing 2 GB takes minutes, and nothing leaves this machine.
        push = ["buildah", "push", "-D", "--tls-verify=false", f"--digestfile={digest_file}", trainer, name]
        subprocess.run(push, env=engine.environment, check=True, capture_output=True, timeout=900)
        by_digest = f"{place}/lesionflow@{digest_file.read_text().strip()}"
        engine.podman("pull", "--tls-verify=false", by_digest, timeout=600)
        yield by_digest


@pytest.fixture(scope="module")
def pipeline(engine, registry, stores, project, folder):
    """Return a function that runs the pipeline, or starts it."""
    with engine.docker_api(folder) as address:

        def run(*, start=False, **changed):
            settings = {
                "root": str(project), "raw": str(project / "raw/dicom"), "params": str(project / "small.yaml"), "data_revision": "1",
                "change_plan": str(project / "change_plan.yaml"), "image": registry, "network": f"container:{stores}", "mem_limit": "3g", "cpus": 2.0,
                "environment": {
                    "MLFLOW_TRACKING_URI": MLFLOW, "LESIONFLOW_PSEUDONYM_KEY": KEY, "LESIONFLOW_PRIVATE_DIR": str(project / "private"),
                    "OMP_NUM_THREADS": "1", "HOME": "/tmp", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", **changed.pop("environment", {}),
                },
                **changed,
            }  # fmt: skip
            (folder / "settings.json").write_text(json.dumps(settings))
            command = [sys.executable, "-m", "support.pipeline_in_containers", str(folder / "settings.json")]
            environment = {**engine.environment, "DOCKER_HOST": address}
            environment["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT, ROOT / "src", ROOT / "tests")))
            with (folder / "pipeline.log").open("ab") as log:
                process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=project)
            if start:
                return process
            process.wait(1500)
            return (folder / "pipeline.log").read_text(errors="replace")[-6000:]

        yield run


def champion_of(folder):
    """Return the champion's version as the store itself has it, None without one."""
    client = MlflowClient(f"sqlite:///{folder / 'mlflow/mlflow.db'}")
    found = client.search_registered_models(f"name = '{MODEL}'")
    version = found[0].aliases.get("champion") if found else None
    # A number from its own store, a text from a server.
    return None if version is None else str(version)


def outputs(project, name):
    """Return what all runs left under an output's name, the newest last; the project store's editions are none."""
    return sorted(project.glob(f"lesionflow-in-containers-*/*/{name}"), key=lambda path: path.stat().st_mtime)


def running(engine):
    return [
        c
        for c in json.loads(engine.podman("ps", "--format=json").stdout)
        if "executor_main" in " ".join(c["Command"] or [])
    ]


@WHOLE
@pytest.mark.parametrize("step", TASKS)
def test_a_container_killed_in_a_step_ends_the_run_and_leaves_no_champion(engine, pipeline, project, folder, step):
    """Each run goes on from what the last one finished, up to its own kill: a study is read once."""
    process = pipeline(start=True)
    end, killed = time.monotonic() + 900, None
    try:
        while killed is None and process.poll() is None and time.monotonic() < end:
            for container in running(engine):
                if f"{step}_step" in " ".join(container["Command"]):
                    # A training has begun by then.
                    time.sleep(6 if step == "train" else 0)
                    done = engine.podman("kill", container["Id"], check=False)
                    killed = done.returncode == 0
            time.sleep(0.2)
        assert killed, (folder / "pipeline.log").read_text(errors="replace")[-4000:]
    finally:
        try:
            process.wait(300)
        except subprocess.TimeoutExpired:
            process.kill()
    assert process.returncode != 0
    assert champion_of(folder) is None
    trained = [path for path in outputs(project, "bundle") if (path / "card.json").exists()]
    assert bool(trained) == (TASKS.index(step) > TASKS.index("train"))


@WHOLE
def test_after_all_kills_the_next_run_makes_one_champion(pipeline, project, folder):
    said = pipeline()
    assert champion_of(folder) == "1", said
    client = MlflowClient(f"sqlite:///{folder / 'mlflow/mlflow.db'}")
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 1
    # Of the twelve runs one ingested to its end: the others went on from it.
    whole = [path for path in outputs(project, "cases") if (path / "cases.parquet").exists()]
    assert len(whole) == 1, whole


@WHOLE
def test_the_pipeline_made_a_champion_with_limits_and_without_network(pipeline, project, folder):
    if champion_of(folder) is None:
        pipeline()
    cases = pd.read_parquet(outputs(project, "cases")[-1] / "cases.parquet")
    assert len(cases) == N_PATIENTS
    truth = sorted((project / "raw/truth").glob("*.nii.gz"))
    masks = [read_mask(path, name=path.stem) for path in truth]
    expected = sorted(float((mask.labels > 0).sum()) * mask.geometry.voxel_volume_ml for mask in masks)
    assert sorted(cases["tumor_ml"]) == pytest.approx(expected, rel=0.02, abs=0.2)
    assert champion_of(folder) == "1"
    client = MlflowClient(f"sqlite:///{folder / 'mlflow/mlflow.db'}")
    run = client.get_run(client.get_model_version_by_alias(MODEL, "champion").run_id)
    assert "test/dice" in run.data.metrics
    # Whatever was written, the user of the image wrote it.
    assert {path.stat().st_uid for path in project.rglob("*")} <= {10001, os.getuid()}


@WHOLE
def test_the_same_data_again_starts_the_two_that_always_ask(pipeline, project, folder):
    """The others are taken from kfp's cache: no container, no folder of their own, no version."""
    pipeline()
    newest = max(project.glob("lesionflow-in-containers-*"), key=lambda path: path.name)
    assert {path.name for path in newest.iterdir()} == {"find-data-step", "split-step"}
    client = MlflowClient(f"sqlite:///{folder / 'mlflow/mlflow.db'}")
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 1
    assert champion_of(folder) == "1"


@pytest.fixture(scope="module")
def service(engine, server, stores, project, folder):
    """Return a function that asks the service, from its image and with the pipeline's champion, for one study; it gives the file."""
    assert champion_of(folder) == "1"
    study = min((project / "raw/dicom").iterdir())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(study.rglob("*.dcm")):
            archive.write(path, path.relative_to(study))
    (folder / "study.zip").write_bytes(packed.getvalue())
    options = (
        f"--network=container:{stores}", "--memory=3g", "--cpus=2", "--env=OMP_NUM_THREADS=1", "--tmpfs=/home/lesionflow:rw,mode=1777",
        f"--env=MLFLOW_TRACKING_URI={MLFLOW}",
    )  # fmt: skip
    command = (
        "python",
        "-m",
        "lesionflow.serving",
        "--model=champion",
        f"--model-name={MODEL}",
    )
    started = engine.started("lesionflow-serve", server, *command, options=options)
    with ready(engine, started, "http://127.0.0.1:3000/readyz", stores) as name:

        def ask():
            answer = folder / "served.nii.gz"
            words = ["curl", "-sS", "--fail-with-body", "-F", f"study=@{folder / 'study.zip'}", "-o", str(answer)]
            address = "http://127.0.0.1:3000/v1/segment?format=nifti"
            done = engine.within(stores, *words, address, timeout=600, check=False)
            assert done.returncode == 0, (done.stderr, answer.read_bytes()[:2000])
            return answer

        yield ask
        assert engine.podman("healthcheck", "run", name, check=False).returncode == 0


@WHOLE
def test_the_service_from_its_image_answers_a_study_as_predict_does(engine, trainer, service, stores, project, folder):
    answer = service()
    made = folder / "predicted"
    made.mkdir()
    os.chown(made, 10001, 10001)
    options = (
        f"--network=container:{stores}",
        f"--volume={project}:{project}:ro",
        f"--volume={made}:{made}",
        "--env=OMP_NUM_THREADS=1",
        f"--env=MLFLOW_TRACKING_URI={MLFLOW}",
    )
    study = min((project / "raw/dicom").iterdir())
    predict = ("lesionflow", "predict", str(study), "--model-name", MODEL, "--out", f"{made}/mask.nii.gz")
    engine.run(trainer, *predict, options=options, check=True, timeout=600)
    served, predicted = read_mask(answer, name="served"), read_mask(made / "mask.nii.gz", name="predicted")
    np.testing.assert_array_equal(served.labels, predicted.labels)
    np.testing.assert_array_equal(served.geometry.affine, predicted.geometry.affine)
    assert 0 < predicted.labels.mean() < 1


@pytest.mark.parametrize("serve", [postgresql, mariadb])
def test_the_service_from_its_image_keeps_its_line_in_a_database_by_url(engine, server, tmp_path, serve):
    """It starts without a champion, and makes its table there; what it took is there for another container."""
    (tmp_path / "sql").mkdir()
    port = free_port()
    with serve(tmp_path / "sql") as url:
        options = (
            "--network=host", f"--env=LESIONFLOW_DATABASE_URL={url}", "--env=MLFLOW_TRACKING_URI=sqlite:////tmp/mlflow.db",
            "--env=LESIONFLOW_STATE_DIR=/tmp/state",
        )  # fmt: skip
        command = ("python", "-m", "lesionflow.serving", f"--port={port}", "--model=champion", "--model-name=none")
        with engine.started("lesionflow-serve-sql", server, *command, options=options) as name:
            try:
                await_health(f"http://127.0.0.1:{port}/livez")
            except AssertionError as error:
                raise AssertionError(engine.podman("logs", name, check=False).stderr[-3000:]) from error
        given = (
            "import os; from lesionflow.jobs.job_database import open_database; from lesionflow.jobs.queue import JobQueue;"
            "queue = JobQueue(open_database(os.environ['LESIONFLOW_DATABASE_URL']), 'q');"
        )
        engine.run(server, "python", "-c", f"{given} queue.submit({{'a': 1}}, '{7:064d}')", options=options, check=True)
        taken = engine.run(
            server, "python", "-c", f"{given} print(queue.claim('w', 60.0).order)", options=options, check=True
        )
        assert taken.stdout.strip() == "{'a': 1}"


def ingest(engine, image, project, *options, out="/out/cases", environment=None):
    given = {"LESIONFLOW_PSEUDONYM_KEY": KEY, "HOME": "/tmp", **(environment or {})}
    options += (f"--volume={project}:{project}:ro", *(f"--env={key}={value}" for key, value in given.items()))
    command = (
        "lesionflow",
        "ingest",
        "--raw",
        str(project / "raw/dicom"),
        "--params",
        str(project / "small.yaml"),
        "--cases",
        out,
    )
    return engine.run(image, *command, options=options, timeout=600)


@WHOLE
def test_a_full_disk_is_named_and_says_nothing_of_the_studies(engine, trainer, project):
    done = ingest(engine, trainer, project, "--mount=type=tmpfs,dst=/out,tmpfs-size=200k,tmpfs-mode=1777")
    assert done.returncode == 6, done.stderr[-3000:]
    assert "disk" in done.stderr.lower() + done.stdout.lower()


@WHOLE
def test_a_step_beyond_its_memory_ends_and_leaves_no_half_output(engine, trainer, project, folder):
    out = folder / "small-memory"
    out.mkdir()
    os.chown(out, 10001, 10001)
    done = ingest(engine, trainer, project, f"--volume={out}:/out", "--memory=48m", "--memory-swap=48m")
    assert done.returncode in {6, 137}, done.stderr[-3000:]
    assert not (out / "cases/cases.parquet").exists()


@WHOLE
def test_a_missing_secret_is_named_before_anything_is_done(engine, trainer, project, folder):
    out = folder / "no-secret"
    out.mkdir()
    os.chown(out, 10001, 10001)
    required = json.dumps({"LESIONFLOW_PSEUDONYM_KEY": "key of the Secret lesionflow-pseudonym"})
    environment = {"LESIONFLOW_REQUIRED": required, "LESIONFLOW_PSEUDONYM_KEY": ""}
    done = ingest(engine, trainer, project, f"--volume={out}:/out", environment=environment)
    assert done.returncode == 2, done.stderr[-3000:]
    assert "LESIONFLOW_PSEUDONYM_KEY (key of the Secret lesionflow-pseudonym)" in done.stderr
    assert not list(out.iterdir())


@WHOLE
def test_without_mlflow_a_run_is_refused_by_name_and_the_champion_stays(
    engine, trainer, pipeline, stores, project, folder
):
    before = champion_of(folder)
    assert before == "1"
    engine.podman("stop", "-t", "10", "lesionflow-mlflow")
    try:
        content = yaml.safe_load((project / "small.yaml").read_text())
        content["train"] |= {"max_epochs": 1}
        (project / "other.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        log = folder / "pipeline.log"
        length = log.stat().st_size
        pipeline(params=str(project / "other.yaml"))
        said = log.read_text(errors="replace")[length:]
    finally:
        engine.podman("start", "lesionflow-mlflow")
    assert "127.0.0.1:5000" in said or "MLflow" in said, said[-3000:]
    assert champion_of(folder) == before
