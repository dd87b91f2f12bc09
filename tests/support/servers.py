"""Database servers and an MLflow server, each of its own on loopback in a temporary folder, ended by the process that was started."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

#: With signs that an address must write otherwise.
PASSWORD, WRITTEN = "p@ss/w:rd#7", "p%40ss%2Fw%3Ard%237"
WAIT_SECONDS = 300


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _find(*places: str) -> str:
    found = next(
        (p for place in places for p in [shutil.which(place), *map(str, Path("/").glob(place[1:]))] if p), None
    )
    if found is None:
        pytest.skip(f"no {Path(places[0]).name} on this machine")
    return str(found)


def _as_user(name: str, folder: Path) -> list[str]:
    """Servers of databases refuse root: theirs is the user that the package made."""
    if os.getuid():
        return []
    for part in [folder, *folder.parents]:
        if part.stat().st_uid == 0 and not part.stat().st_mode & 0o001:
            part.chmod(part.stat().st_mode | 0o011)
    shutil.chown(folder, name, None)
    return ["runuser", "-u", name, "--"]


@contextmanager
def serving(command: list[str], log: Path, port: int, *, environment: dict[str, str] | None = None) -> Iterator[None]:
    """Start a server, wait until it listens on the port, and end it and its children afterwards."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
        try:
            end = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < end and process.poll() is None:
                with closing(socket.socket()) as one:
                    if one.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.2)
            else:
                raise AssertionError(f"{command[0]} does not serve: {log.read_text(errors='replace')[-2000:]}")
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Serve PostgreSQL; yields the tracking URI of a database whose user needs `PASSWORD`."""
    programs = Path(_find("/usr/lib/postgresql/*/bin/initdb")).parent
    user, port = _as_user("postgres", folder), free_port()
    secret = folder / "secret"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    # The machine's own locale may not be installed, which initdb refuses.
    make = [
        *user,
        str(programs / "initdb"),
        "-D",
        str(folder / "data"),
        "-A",
        "scram-sha-256",
        "-U",
        "runs",
        "--no-locale",
        "-E",
        "UTF8",
    ]
    made = subprocess.run([*make, f"--pwfile={secret}"], check=False, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    serve = [*user, str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-h", "127.0.0.1"]
    with serving([*serve, "-k", str(folder)], folder.with_suffix(".log"), port):
        time.sleep(1.0)
        yield f"postgresql://runs:{WRITTEN}@127.0.0.1:{port}/postgres"


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Serve MariaDB; yields the tracking URI of a database whose user needs `PASSWORD`."""
    program, user, port = _find("mariadbd", "/usr/sbin/mariadbd"), _as_user("mysql", folder), free_port()
    first = folder / "first.sql"
    first.write_text(
        f"CREATE DATABASE IF NOT EXISTS runs;\nCREATE USER IF NOT EXISTS 'runs'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON runs.* TO 'runs'@'127.0.0.1';\n"
    )
    first.chmod(0o644)
    data = ["--no-defaults", f"--datadir={folder / 'data'}"]
    # The user of the servers may not be allowed to write where this process has its temporary files.
    environment = {**os.environ, "TMPDIR": str(folder)}
    make = [*user, "mariadb-install-db", *data, "--skip-test-db"]
    made = subprocess.run(make, check=False, capture_output=True, text=True, env=environment)
    assert made.returncode == 0, made.stdout + made.stderr
    serve = [*user, program, *data, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 's'}"]
    own = [f"--pid-file={folder / 'pid'}", f"--init-file={first}", "--skip-name-resolve"]
    with serving([*serve, *own], folder.with_suffix(".log"), port, environment=environment):
        time.sleep(1.0)
        yield f"mariadb://runs:{WRITTEN}@127.0.0.1:{port}/runs"


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Serve MLflow with accounts and proxied artifacts; yields its address, whose user `admin` needs a password of 12 signs."""
    port = free_port()
    ini = folder / "auth.ini"
    ini.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/accounts.db\nadmin_username = admin\n"
        f"admin_password = {PASSWORD}{PASSWORD}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    environment = {**os.environ, "MLFLOW_AUTH_CONFIG_PATH": str(ini), "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-a-test"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts"]
    with serving(command, folder / "server.log", port, environment=environment):
        await_health(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"


def await_health(address: str) -> None:
    """Wait until an address answers 200; one that asks for an account is up too."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except urllib.error.HTTPError as error:
            if error.code in {401, 403}:
                return
            time.sleep(0.3)
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"{address} does not answer")
