"""Kubeflow Pipelines' API on loopback, made from its own OpenAPI: what a request may hold is what the generated models say."""

import functools
import inspect
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import kfp_server_api
import yaml

TOKEN = "a-token-that-nobody-must-see"
BASE = "/apis/v2beta1"
SERVICES = (
    kfp_server_api.HealthzServiceApi, kfp_server_api.PipelineServiceApi, kfp_server_api.PipelineUploadServiceApi,
    kfp_server_api.ExperimentServiceApi, kfp_server_api.RunServiceApi, kfp_server_api.RecurringRunServiceApi,
)  # fmt: skip
#: Whole numbers of 64 bits, which the API writes as text and reads as either.
LONG = {"max_concurrency", "interval_second"}
PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float)}


@functools.cache
def paths_of_openapi() -> set[tuple[str, str]]:
    """Every method and path that KFP's OpenAPI has, from the client generated of it."""
    found = set()
    for service in SERVICES:
        found |= {(m, p) for p, m in re.findall(r"'(/apis/v2beta1[^']*)', '([A-Z]+)'", inspect.getsource(service))}
    return found


def faults_of(value: Any, kind: str, at: str = "body") -> list[str]:  # noqa: C901, PLR0911 - a form of JSON each
    """Say where a JSON value is not what the OpenAPI says of its type."""
    if kind in PLAIN:
        if isinstance(value, int) and at.rsplit(".", maxsplit=1)[-1] in LONG:
            return []
        return [] if isinstance(value, PLAIN[kind]) else [f"{at}: expected {kind}, found {value!r}"]
    if kind in {"object", "datetime"} or value is None:
        return []
    if match := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            return [f"{at}: expected a list"]
        return [fault for n, one in enumerate(value) for fault in faults_of(one, match[1], f"{at}[{n}]")]
    if match := re.fullmatch(r"dict\(str, (.+)\)", kind):
        if not isinstance(value, dict):
            return [f"{at}: expected an object"]
        return [fault for key, one in value.items() for fault in faults_of(one, match[1], f"{at}.{key}")]
    model = getattr(kfp_server_api, kind)
    if hasattr(model, "allowable_values") and not model.openapi_types:
        # KFP's own client names operations of a filter by their numbers.
        if isinstance(value, int) and value < len(model.allowable_values):
            return []
        return [] if value in model.allowable_values else [f"{at}: {value!r} is none of {model.allowable_values}"]
    if not isinstance(value, dict):
        return [f"{at}: expected {kind}"]
    types = {model.attribute_map[name]: of for name, of in model.openapi_types.items()}
    faults = [f"{at}: {kind} has no {key}" for key in value if key not in types]
    return faults + [f for key, one in value.items() if key in types for f in faults_of(one, types[key], f"{at}.{key}")]


class FakeKubeflow:
    """What it holds, and every request that changed something."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, dict[str, Any]]] = {
            "pipelines": {}, "versions": {}, "experiments": {}, "runs": {}, "recurringruns": {},
        }  # fmt: skip
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.tokens: set[str] = set()
        self.address = ""
        self.n_made = 0
        #: A path that is answered with a status, to play a fault.
        self.refuse: dict[str, int] = {}

    @property
    def changes(self) -> list[str]:
        return [request for request in self.asked if not request.startswith("GET")]

    def add(self, kind: str, key: str, value: Mapping[str, Any]) -> dict[str, Any]:
        made = dict(value)
        self.n_made += 1
        made[key] = f"{kind}-{self.n_made}"
        made["created_at"] = f"2026-01-01T00:00:{self.n_made:02d}Z"
        self.held[kind][made[key]] = made
        return made

    def named(self, kind: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """What a filter by name leaves, the newest first."""
        found = list(reversed(self.held[kind].values()))
        if chosen := query.get("filter"):
            (predicate,) = json.loads(chosen)["predicates"]
            self.faults += faults_of({k: v for k, v in predicate.items() if k != "stringValue"}, "V2beta1Predicate")
            found = [one for one in found if one[predicate["key"]] == predicate["stringValue"]]
        if experiment := query.get("experiment_id"):
            found = [one for one in found if one["experiment_id"] == experiment]
        return found


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    state: FakeKubeflow

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        address = urlsplit(self.path)
        path = unquote(address.path).removeprefix(BASE)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        state = self.state
        state.asked.append(f"{method} {path}")
        state.tokens.add(self.headers.get("authorization", ""))
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        status = next((code for part, code in state.refuse.items() if part in path), 0)
        if not status and self.headers.get("authorization") != f"Bearer {TOKEN}":
            status = 401
        if status:
            # A proxy may well repeat what it was given.
            self._send(status, {"error_message": f"refused: {self.headers.get('authorization')}"})
            return
        known = any(
            method == m and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/:]+", p.removeprefix(BASE)), path)
            for m, p in paths_of_openapi()
        )
        if not known:
            self._send(404, {"error_message": f"no {method} {path}"})
            return
        self._send(200, self._handle(method, path, query, body))

    def _handle(self, method: str, path: str, query: dict[str, str], body: bytes) -> dict[str, Any]:  # noqa: PLR0911
        state = self.state
        if path == "/healthz":
            return {"multi_user": False}
        if path == "/pipelines/upload_version":
            return self._upload(query, body)
        if match := re.fullmatch(r"/pipelines/([^/]+)/versions", path):
            found = [v for v in state.named("versions", query) if v["pipeline_id"] == match[1]]
            return {"pipeline_versions": found}
        if match := re.fullmatch(r"/recurringruns/([^/:]+):enable", path):
            state.held["recurringruns"][match[1]]["status"] = "ENABLED"
            return {}
        if method == "DELETE":
            del state.held["recurringruns"][path.rsplit("/", maxsplit=1)[1]]
            return {}
        kind = path.strip("/")
        key, model, plural = {
            "pipelines": ("pipeline_id", "V2beta1Pipeline", "pipelines"),
            "experiments": ("experiment_id", "V2beta1Experiment", "experiments"),
            "runs": ("run_id", "V2beta1Run", "runs"),
            "recurringruns": ("recurring_run_id", "V2beta1RecurringRun", "recurringRuns"),
        }[kind]
        if method == "GET":
            return {plural: state.named(kind, query)} if state.named(kind, query) else {}
        given = json.loads(body)
        state.faults += faults_of(given, model)
        return state.add(kind, key, given | self._answers(kind, given))

    @staticmethod
    def _answers(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the API itself says of a thing that it has just made."""
        if kind == "runs":
            return {"state": "PENDING"}
        return {"status": "ENABLED" if given.get("mode") == "ENABLE" else "DISABLED"} if kind == "recurringruns" else {}

    def _upload(self, query: dict[str, str], body: bytes) -> dict[str, Any]:
        boundary = self.headers.get_boundary() or ""
        part = body.split(b"--" + boundary.encode())[1]
        content = part.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n", 1)[0]
        if b'name="uploadfile"' not in part:
            self.state.faults.append("upload: no uploadfile")
        spec = next(yaml.safe_load_all(content))
        version = {"display_name": query["name"], "pipeline_id": query["pipelineid"], "pipeline_spec": spec}
        return self.state.add("versions", "pipeline_version_id", version)

    def _send(self, status: int, content: Mapping[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def kubeflow() -> Iterator[FakeKubeflow]:
    """Serve as long as the block runs."""
    state = FakeKubeflow()
    handler = type("Bound", (Handler,), {"state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        state.address = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()
        thread.join()
