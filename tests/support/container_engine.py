"""Podman, its Docker API and a registry, all below one folder and on loopback: nothing of the machine's own containers is touched."""

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from lesionflow import __version__
from support.servers import free_port

#: Set by `make test-containers`: where podman's storage and configuration are.
ROOT = "LESIONFLOW_CONTAINERS_ROOT"
TOOLS = ("podman", "runc", "docker-registry", "nsenter")
USER = "10001:10001"
#: What every container of ours is run with.
SHUT = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    f"--user={USER}",
    "--tmpfs=/tmp:rw,mode=1777",
)


def engine_or_skip():
    """Return the engine that `make test-containers` set up, or skip and say why."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.getuid() != 0 or missing:
        pytest.skip(f"containers need root and {', '.join(missing) or 'nothing else'}: make test-containers")
    folder = Path(os.environ.get(ROOT, "/var/tmp/lesionflow-containers"))
    if not (folder / "storage.conf").is_file():
        pytest.skip(f"no images in {folder}: make test-containers builds them")
    return Engine(folder)


def image_or_skip(engine, target):
    """Return the name of an image that is there, or skip."""
    name = f"localhost/lesionflow:{__version__}-{target}"
    if engine.podman("image", "exists", name, check=False).returncode:
        pytest.skip(f"no image {name}: make test-containers builds it")
    return name


class Engine:
    """Podman with the configuration in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE", "MLFLOW_"))},
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
        }

    def podman(self, *words, check=True, timeout=300):
        done = subprocess.run(
            ["podman", *words], env=self.environment, capture_output=True, text=True, check=False, timeout=timeout
        )
        assert done.returncode == 0 or not check, f"podman {' '.join(words)}: {done.stderr[-2000:]}"
        return done

    def run(self, image, *command, options=(), check=False, timeout=300):
        """Run a command in a container that may write to /tmp alone, without any network unless an option says otherwise."""
        network = () if any("--network" in word for word in options) else ("--network=none",)
        return self.podman("run", "--rm", *SHUT, *network, *options, image, *command, check=check, timeout=timeout)

    def inspect(self, name):
        return json.loads(self.podman("inspect", name).stdout)[0]

    @contextmanager
    def started(self, name, image, *command, options=()):
        """Start a container and remove it at the end."""
        self.podman("rm", "-f", name, check=False)
        self.podman("run", "-d", "--name", name, *SHUT, *options, image, *command)
        try:
            yield name
        finally:
            self.podman("rm", "-f", "-t", "5", name, check=False)

    def within(self, name, *command, check=True, timeout=300):
        """Run a command of this machine in the network of a container."""
        pid = str(self.inspect(name)["State"]["Pid"])
        return subprocess.run(["nsenter", "-t", pid, "-n", *command], capture_output=True, check=check, timeout=timeout)

    @contextmanager
    def docker_api(self, folder):
        """Serve Docker's API; yields the address that DOCKER_HOST takes."""
        socket = folder / "podman.sock"
        command = ["podman", "system", "service", "--time=0", f"unix://{socket}"]
        with (folder / "podman.log").open("wb") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        try:
            _await(socket.exists, f"podman's socket: {(folder / 'podman.log').read_text()}")
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.wait(30)

    @contextmanager
    def registry(self, folder):
        """Serve a registry on loopback; yields its host and port."""
        port = free_port()
        config = folder / "registry.yml"
        config.write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        )
        with (folder / "registry.log").open("wb") as log:
            process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
        try:
            ask = ["curl", "-sf", f"http://127.0.0.1:{port}/v2/"]
            _await(lambda: subprocess.run(ask, check=False, capture_output=True).returncode == 0, "the registry")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _await(true, what, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.2)
