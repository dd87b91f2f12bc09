"""Peers of the receiver, each a program of its own on loopback: dcmtk's, Orthanc, the receiver itself; and a service that answers at once."""

import email.parser
import email.policy
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from support.servers import free_port, serving

ROOT = Path(__file__).resolve().parents[2]


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on this machine: Debian's packages dcmtk and orthanc have it")
    return found


class FakeService(ThreadingHTTPServer):
    """Takes studies under their keys as the real one does, and answers with files that it was given."""

    daemon_threads = True

    def __init__(self, results=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.results = results or {}
        self.studies: dict[str, list[str]] = {}
        self.requests: list[str] = []
        self.state, self.refuse, self.code, self.status = "done", None, "", 422

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, content, kind="application/json"):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append("POST")
        if self.server.refuse:
            self.answer(*self.server.refuse)
            return
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
            b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body
        )
        (part,) = message.iter_parts()
        names = zipfile.ZipFile(io.BytesIO(part.get_payload(decode=True))).namelist()
        key = self.headers["Idempotency-Key"]
        self.server.studies.setdefault(key, names)
        assert self.server.studies[key] == names
        self.answer(202, {"id": key, "state": "queued"})

    def do_GET(self):
        path, _, query = self.path.partition("?")
        *_, job = [part for part in path.split("/") if part != "mask"]
        self.server.requests.append(path.split("/")[2])
        if job not in self.server.studies:
            self.answer(404, {"code": "unknown_job"})
        elif path.startswith("/v1/jobs/"):
            self.answer(
                200,
                {
                    "id": job,
                    "state": self.server.state,
                    "error": {"code": self.server.code, "status": self.server.status},
                },
            )
        else:
            self.answer(200, self.server.results[query.partition("=")[2]], "application/dicom")


@contextmanager
def fake_service(results=None):
    server = FakeService(results)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def write_config(folder: Path, **values) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pacs.yaml"
    path.write_text(yaml.safe_dump({"spool": "spool", **values}))
    return path


@contextmanager
def receiver(config: Path, port: int):
    """`python -m lesionflow.pacs listen`; yields its process."""
    log = config.with_name(f"receiver-{time.time_ns()}.log")
    command = [sys.executable, "-m", "lesionflow.pacs", "listen", "--config", str(config)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        try:
            wait_for(lambda: process.poll() is not None or b"listening" in log.read_bytes(), 60)
            assert process.poll() is None, log.read_text()
            process.log = log
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(30)


def wait_for(holds, seconds=60.0):
    end = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)
    return found


def store(files, port, *, calling="SENDER", called="LESIONFLOW", options=()):
    """dcmtk's storescu."""
    command = [program("storescu"), "-aet", calling, "-aec", called, *options, "127.0.0.1", str(port), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def archive(folder: Path, port: int):
    """dcmtk's storescp: a file for each object that it was given."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [program("storescp"), "--output-directory", str(folder), "--unique-filenames", str(port)]
    with serving(command, folder.with_name("storescp.log"), port):
        yield folder


@contextmanager
def orthanc(folder: Path, http_port: int, dicom_port: int, **values):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "orthanc.json"
    plugin = next(iter(Path("/usr").glob("**/libOrthancDicomWeb.so*")), None)
    options = {
        "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"), "HttpPort": http_port, "DicomPort": dicom_port,
        "DicomAet": "ORTHANC", "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomCheckCalledAet": True,
        "Plugins": [str(plugin)] if plugin else [], "DicomWeb": {"Enable": True}, "StableAge": 2, **values,
    }  # fmt: skip
    path.write_text(json.dumps(options))
    with serving([program("Orthanc"), str(path)], folder / "orthanc.log", http_port):
        yield plugin is not None


__all__ = [
    "FakeService",
    "archive",
    "fake_service",
    "free_port",
    "orthanc",
    "program",
    "receiver",
    "store",
    "wait_for",
    "write_config",
]
