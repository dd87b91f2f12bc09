"""compose.yaml: the commands that it starts, started here as processes on loopback, and what it promises of each container."""

import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry import registered_bundles
from lesionflow.registry.tracking import Tracker
from lesionflow.serving.service import TIMEOUT_S
from support.champions import set_champion
from support.mlflow_hosts import statuses
from support.served_models import write_untrained_bundle
from support.servers import await_health, free_port, postgresql, serving

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "containers" / "compose.yaml"
PASSWORD = "LESIONFLOW_POSTGRES_PASSWORD"
WHOLE = "LESIONFLOW_TEST_WHOLE"


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]


def command_of(service, port, **replaced):
    """Return the container's own command, on loopback, at another port and with other folders."""
    words = list(service["command"])
    assert "--host=0.0.0.0" in words
    words[words.index("--host=0.0.0.0")] = "--host=127.0.0.1"
    words = [f"--port={port}" if word.startswith("--port=") else word for word in words]
    for option, value in replaced.items():
        flag = f"--{option.replace('_', '-')}="
        assert sum(word.startswith(flag) for word in words) == 1
        words = [flag + value if word.startswith(flag) else word for word in words]
    return [sys.executable, "-m", *words] if words[0] == "mlflow" else [sys.executable, *words[1:]]


@contextmanager
def mlflow_of_compose(service, folder, store):
    port = free_port()
    environment = {**os.environ, **service["environment"], "MLFLOW_BACKEND_STORE_URI": store}
    environment.pop("MLFLOW_TRACKING_URI", None)
    (hosts,) = (word.partition("=")[2] for word in service["command"] if word.startswith("--allowed-hosts="))
    command = command_of(
        service,
        port,
        artifacts_destination=str(folder / "artifacts"),
        workers="1",
        # The test's own port is none of compose's, and MLflow answers to the names that it was told alone.
        allowed_hosts=f"{hosts},127.0.0.1:{port}",
    )
    with serving(command, folder / "mlflow.log", port, environment=environment):
        await_health(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"


def host_of(service):
    """Return the Host that a container's requests to MLflow carry."""
    (host,) = re.findall(r"^http://([^/]+)$", service["environment"]["MLFLOW_TRACKING_URI"])
    return host


def test_mlflow_answers_requests_for_its_name_among_the_containers_and_no_strangers(services, monkeypatch):
    host = host_of(services["service"])
    strangers = {"mlflow.example.org": 403, "evil.example:5000": 403}
    asked = [host, "127.0.0.1:5000", "localhost:5000", *strangers]
    assert host == "mlflow:5000"
    assert statuses(services["mlflow"]["command"], asked, monkeypatch) == {
        host: 200, "127.0.0.1:5000": 200, "localhost:5000": 200, **strangers, "health": 200
    }  # fmt: skip


def test_without_naming_hosts_it_would_refuse_its_own(services, monkeypatch):
    """The fault that `--allowed-hosts` mends, so that the day MLflow changes this is known."""
    command = [word for word in services["mlflow"]["command"] if not word.startswith("--allowed-hosts")]
    assert statuses(command, ["mlflow:5000"], monkeypatch)["mlflow:5000"] == 403


def test_every_container_is_shut_bounded_and_watched(services):
    for name, service in services.items():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"] in {"postgres", "10001:10001"}, name
        assert {"mem_limit", "cpus", "pids_limit", "healthcheck", "restart"} <= set(service), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert "latest" not in service["image"], name
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}, name
            assert "healthcheck" in services[other]
    assert set(services["service"]["depends_on"]) == {"mlflow"}
    assert set(services["mlflow"]["depends_on"]) == {"postgres"}


def test_no_password_stands_in_the_file_or_on_a_command_line(services):
    text = FILE.read_text(encoding="utf-8")
    assert len(re.findall(rf"\$\{{{PASSWORD}:\?", text)) == text.count("PASSWORD}") + text.count(f"{PASSWORD}:?") == 2
    for name, service in services.items():
        assert "PASSWORD" not in " ".join(service.get("command", [])), name


def test_the_service_has_the_time_to_answer_what_it_began(services):
    assert services["service"]["stop_grace_period"] == "61m"
    assert TIMEOUT_S < 61 * 60


@pytest.mark.skipif(not os.environ.get(WHOLE), reason=f"the whole product as processes: {WHOLE}=1")
def test_the_whole_product_starts_by_the_same_commands(services, tmp_path):
    """PostgreSQL, MLflow on it, the service on that: not ready without a champion, and saying so, until there is one."""
    name = "lesionflow-phantom-ct"
    (tmp_path / "sql").mkdir()
    with postgresql(tmp_path / "sql") as database:
        store = database.replace("postgresql://", "postgresql+psycopg://")
        with mlflow_of_compose(services["mlflow"], tmp_path, store) as address:
            port = free_port()
            environment = {
                **os.environ,
                **services["service"]["environment"],
                "MLFLOW_TRACKING_URI": address,
                "LESIONFLOW_STATE_DIR": str(tmp_path / "state"),
                "LESIONFLOW_LOAD_RETRY_S": "2",
                "TMPDIR": str(tmp_path),
                "HOME": str(tmp_path),
                "BENTOML_HOME": str(tmp_path / "bentoml"),
                "MPLCONFIGDIR": str(tmp_path),
            }
            command = command_of(services["service"], port, model_name=name)
            with serving(command, tmp_path / "service.log", port, environment=environment):
                search = f"{address}/api/2.0/mlflow/experiments/search?max_results=1"
                for name_of_it, status in ((host_of(services["service"]), 200), ("evil.example:5000", 403)):
                    assert httpx.get(search, headers={"Host": name_of_it}, timeout=60).status_code == status
                service = f"http://127.0.0.1:{port}"
                await_health(f"{service}/livez")
                assert httpx.get(f"{service}/readyz", timeout=30).status_code == 503
                tracker = Tracker(address, "phantoms")
                bundle = write_untrained_bundle(tmp_path / "bundle", {"CT": "ct"}, 7)
                run = tracker.start_run("train")
                version = registered_bundles.register_bundle(
                    tracker, run, bundle, name, program=MLFLOW_PROGRAM, tags={}
                )
                set_champion(name, version.version, tracker.tracking_uri)
                await_health(f"{service}/readyz")
                served = httpx.get(f"{service}/v1/model", timeout=30).json()
                assert str(version.version) in str(served)
