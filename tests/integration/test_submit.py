"""The command that gives the pipeline to Kubeflow, against its API as the OpenAPI has it."""

import json
import socket
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS
from lesionflow.errors import ConfigError, ServiceError
from lesionflow.steps import STEPS
from support.fake_kubeflow import TOKEN, FakeKubeflow, faults_of, kubeflow, paths_of_openapi

IMAGE = "registry.example/team/lesionflow@sha256:" + "c" * 64


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubeflow]:
    monkeypatch.setenv("KFP_TOKEN", TOKEN)
    with kubeflow() as state:
        yield state
    assert state.faults == []


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A compiled pipeline of the steps' sections and two more arguments."""
    return write_package(tmp_path / "pipeline.yaml")


def write_package(path: Path, image: str = IMAGE) -> Path:
    arguments = {name: {"parameterType": "STRING"} for name in STEPS}
    arguments |= {
        "project_store": {"parameterType": "STRING"},
        "data_repository": {"parameterType": "STRING", "isOptional": True},
    }
    arguments |= {
        "data_revision": {"parameterType": "STRING", "isOptional": True},
        "raw_path": {"parameterType": "STRING", "isOptional": True},
    }
    arguments |= {name: {"parameterType": "LIST", "isOptional": True} for name in ("shards", "candidates")}
    spec = {
        "pipelineInfo": {"name": "lesionflow-retrain"},
        "root": {"inputDefinitions": {"parameters": arguments}},
        "deploymentSpec": {"executors": {"exec-one": {"container": {"image": image}}}},
    }
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return path


def submit(server: FakeKubeflow, command: str, package: Path, *options: str) -> int:
    arguments = ["--params", "phantom_ct", "--set", "project_store=/state"] if command != "upload" else []
    return import_module("pipelines.submit").main(
        [command, str(package), "--host", server.address, *arguments, *options]
    )


def test_a_run_is_started_once_with_the_sections_of_the_params(server, package, capsys) -> None:
    assert submit(server, "run", package, "--set", "shards=[0, 1]") == 0
    (run,) = server.held["runs"].values()
    parameters = run["runtime_config"]["parameters"]
    preset = load_params(PRESETS / "phantom_ct.yaml")
    # Kubeflow keeps parameters as a protobuf Struct, whose keys have no order.
    kept = json.loads(json.dumps(parameters, sort_keys=True))
    for name in STEPS:
        assert kept[name] == json.dumps(preset[name])
    assert (parameters["project_store"], parameters["shards"]) == ("/state", [0, 1])
    (version,) = server.held["versions"].values()
    assert run["pipeline_version_reference"] == {
        "pipeline_id": next(iter(server.held["pipelines"])), "pipeline_version_id": version["pipeline_version_id"],
    }  # fmt: skip
    assert version["pipeline_spec"]["pipelineInfo"]["name"] == "lesionflow-retrain"
    assert [one["display_name"] for one in server.held["experiments"].values()] == ["lesionflow"]
    assert capsys.readouterr().out == f"Run {run['run_id']} of {version['display_name']} is started.\n"

    before = list(server.changes)
    assert submit(server, "run", package, "--set", "shards=[0, 1]") == 0
    assert server.changes == before
    assert run["run_id"] in capsys.readouterr().out
    # Other arguments, another file, or whoever asks for it: another run.
    assert submit(server, "run", package, "--set", "shards=[0]") == 0
    assert submit(server, "run", package, "--set", "shards=[0]", "--again") == 0
    assert len(server.held["runs"]) == 3
    assert len(server.held["versions"]) == 1


def test_another_file_is_another_version_and_the_same_is_not_uploaded_again(server, package, tmp_path, capsys) -> None:
    assert submit(server, "upload", package) == submit(server, "upload", package) == 0
    assert len(server.held["versions"]) == 1
    package.write_text(package.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert submit(server, "upload", package) == 0
    names = {version["display_name"] for version in server.held["versions"].values()}
    assert len(names) == 2
    assert {version["pipeline_id"] for version in server.held["versions"].values()} == set(server.held["pipelines"])
    assert [line.rsplit(" is ", maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()] == [
        "uploaded.", "there already.", "uploaded.",
    ]  # fmt: skip


def test_a_schedule_is_made_once_and_replaced_when_it_changes(server, package) -> None:
    cron = ("--cron", "0 0 3 * * *")
    assert submit(server, "schedule", package, *cron) == 0
    (first,) = server.held["recurringruns"].values()
    assert (first["status"], first["trigger"]["cron_schedule"]["cron"]) == ("ENABLED", "0 0 3 * * *")
    assert (first["no_catchup"], first["max_concurrency"], first["display_name"]) == (
        True,
        1,
        "lesionflow-retrain-nightly",
    )
    before = list(server.changes)
    assert submit(server, "schedule", package, *cron) == 0
    assert server.changes == before
    # A kill before it was started: the same command starts it.
    first["status"] = "DISABLED"
    assert submit(server, "schedule", package, *cron) == 0
    assert first["status"] == "ENABLED"
    assert submit(server, "schedule", package, "--cron", "0 0 4 * * *") == 0
    (second,) = server.held["recurringruns"].values()
    assert second["trigger"]["cron_schedule"]["cron"] == "0 0 4 * * *"
    assert second["status"] == "ENABLED"
    assert submit(server, "schedule", package, "--cron", "0 0 5 * * *", "--name", "other") == 0
    assert len(server.held["recurringruns"]) == 2


def test_a_pipeline_that_takes_sections_as_dicts_is_refused(server, package, capsys) -> None:
    package.write_text(package.read_text(encoding="utf-8").replace("STRING", "STRUCT"), encoding="utf-8")
    assert submit(server, "run", package) == ConfigError.exit_code
    assert "Compile it anew" in capsys.readouterr().err
    assert server.changes == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "colour=red"], "no argument colour"),
        (["--set", "shards=3"], "shards"),
        (["--set", "shards=["], "shards"),
        (["--set", "project_store"], "NAME=VALUE"),
        (["--set", "split=n_folds: 3"], "params section `split` does not fit"),
        (["--set", "split={"], "as YAML or JSON"),
        (["--set", 'candidates=["los: dice"]'], "los"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_asked(server, package, options, said, capsys) -> None:
    assert submit(server, "run", package, *options) == ConfigError.exit_code
    assert said in capsys.readouterr().err
    assert server.changes == []


def test_a_missing_argument_is_named(server, package, capsys) -> None:
    main = import_module("pipelines.submit").main
    assert main(["run", str(package), "--host", server.address, "--params", "phantom_ct"]) == ConfigError.exit_code
    assert "none given for project_store" in capsys.readouterr().err


def test_a_cron_of_five_fields_is_refused(server, package, capsys) -> None:
    assert submit(server, "schedule", package, "--cron", "0 3 * * *") == ConfigError.exit_code
    assert "six fields" in capsys.readouterr().err
    assert server.changes == []


def test_a_pipeline_of_one_machine_is_refused(server, tmp_path, capsys) -> None:
    package = write_package(tmp_path / "local.yaml", "lesionflow:0.1.0-cpu")
    assert submit(server, "run", package) == ConfigError.exit_code
    assert "lesionflow:0.1.0-cpu, which no node of a cluster has" in capsys.readouterr().err
    assert server.asked == []


@pytest.mark.parametrize(
    ("part", "status", "said", "code"),
    [
        ("healthz", 401, "KFP_TOKEN", ConfigError.exit_code),
        ("healthz", 404, "it ends before /apis", ConfigError.exit_code),
        ("/runs", 403, "may not do this", ConfigError.exit_code),
        ("upload_version", 500, "(500)", ServiceError.exit_code),
        ("upload_version", 409, "give the command again", ServiceError.exit_code),
    ],
)
def test_a_refusal_is_named_and_the_token_is_not_told(server, package, part, status, said, code, capsys) -> None:
    server.refuse[part] = status
    assert submit(server, "run", package) == code
    told = capsys.readouterr()
    assert said in told.err
    assert TOKEN in "".join(server.tokens)
    assert TOKEN not in told.err + told.out
    assert server.held["runs"] == {}


def test_a_token_that_is_wrong_is_said_at_once(server, package, monkeypatch, capsys, caplog) -> None:
    monkeypatch.setenv("KFP_TOKEN", "an-old-token")
    assert submit(server, "run", package) == ConfigError.exit_code
    assert server.asked == ["GET /healthz"]
    assert "an-old-token" not in capsys.readouterr().err + caplog.text


def test_nobody_there_is_said_by_the_address_without_a_password(package, monkeypatch, capsys) -> None:
    monkeypatch.setenv("KFP_TOKEN", TOKEN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    main = import_module("pipelines.submit").main
    assert main(["upload", str(package), "--host", f"http://me:hunter2@127.0.0.1:{port}"]) == ServiceError.exit_code
    told = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in told
    assert "nothing answers" in told
    assert "hunter2" not in told
    assert TOKEN not in told


@pytest.mark.parametrize("host", ["", "kubeflow.example"])
def test_an_address_that_is_none_is_refused(host, package, monkeypatch, capsys) -> None:
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    assert import_module("pipelines.submit").main(["upload", str(package), "--host", host]) == ConfigError.exit_code
    assert "address" in capsys.readouterr().err


def test_the_fake_refuses_what_the_openapi_does_not_have() -> None:
    assert ("POST", "/apis/v2beta1/recurringruns/{recurring_run_id}:enable") in paths_of_openapi()
    assert faults_of({"display_name": "a", "state": "PENDING"}, "V2beta1Run") == []
    assert faults_of({"displayname": "a"}, "V2beta1Run") == ["body: V2beta1Run has no displayname"]
    assert faults_of({"display_name": 3}, "V2beta1Run") == ["body.display_name: expected str, found 3"]
    assert faults_of({"mode": "ON"}, "V2beta1RecurringRun")


def git(folder: Path, *words: str) -> None:
    own = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *own, *words], check=True, capture_output=True)


def test_new_studies_start_a_run_and_other_commits_do_not(server, package, tmp_path, capsys) -> None:
    repository = tmp_path / "repository"
    (repository / "data").mkdir(parents=True)
    git(repository, "init", "-q", "-b", "main")
    for number, name in enumerate(("data/raw.dvc", "README.md", "data/raw.dvc")):
        (repository / name).write_text(f"outs:\n- md5: {number}\n  path: raw\n", encoding="utf-8")
        git(repository, "add", ".")
        git(repository, "commit", "-qm", str(number))
        assert submit(server, "on-new-data", package, "--set", f"data_repository={repository}") == 0
        assert submit(server, "on-new-data", package, "--set", f"data_repository={repository}") == 0
        assert len(server.held["runs"]) == (1, 1, 2)[number]
    newest = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    last = list(server.held["runs"].values())[-1]["runtime_config"]["parameters"]
    assert (last["data_revision"], last["data_repository"]) == (newest, str(repository))
    assert newest[:12] in capsys.readouterr().out
    assert submit(server, "on-new-data", package) == ConfigError.exit_code
    assert "data_repository" in capsys.readouterr().err
