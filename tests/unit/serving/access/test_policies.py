"""Every route asks for what its policy says; whose a job is, is nobody else's to see."""

import uuid

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from lesionflow.config import Settings
from lesionflow.jobs.api_keys import Scope
from lesionflow.serving.access.policies import POLICIES, protect
from lesionflow.serving.api import create_app
from lesionflow.serving.settings import ServiceSettings
from support.service_client import TestClient
from support.stub_engine import StubEngine

#: Routes beside the table, and why they need no line in it.
BESIDE = {"/static": "the pages' own files, the same for everybody", "/{path:path}": "answers 404 and 405 alone"}
FILES = {"CT": ("ct.nii.gz", b"\x1f\x8bstudy")}


@pytest.fixture
def start(tmp_path):
    running = []

    def started(access="keys", base_url="http://127.0.0.1:3000", **more):
        service = ServiceSettings(model="m", access=access, state_dir=tmp_path / "state", **more)
        app = create_app(service, Settings(device="cpu"))
        app.state.engine = StubEngine()
        client = TestClient(app, base_url=base_url, raise_server_exceptions=False)
        client.__enter__()
        running.append(client)
        return client

    yield started
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def client(start):
    return start()


def key(client, *scopes, name=None):
    _, token = client.app.state.keys.add(name or uuid.uuid4().hex, {Scope(scope) for scope in scopes})
    return {"Authorization": f"Bearer {token}"}


def routes_of(client):
    """Method and path of each route that the application has."""
    for route in client.app.routes:
        assert isinstance(route, Route | Mount)
        if route.path not in BESIDE:
            for method in sorted(route.methods - {"HEAD"}):
                yield method, route.path


def filled(path):
    return path.replace("{job_id}", "0" * 32).replace("{result_id}", "0" * 32)


def code_of(answer):
    kind = answer.headers.get("content-type", "")
    return answer.json()["code"] if kind == "application/problem+json" else None


def test_every_route_has_a_policy_and_every_policy_its_route(client):
    assert sorted(f"{method} {path}" for method, path in routes_of(client)) == sorted(POLICIES)


def test_a_route_without_a_policy_does_not_start():
    async def forgotten(_):
        return PlainTextResponse("told")

    with pytest.raises(KeyError, match="/v1/forgotten"):
        protect(Route("/v1/forgotten", forgotten))


def test_without_a_key_nothing_but_the_open_routes_answers(client):
    for method, path in routes_of(client):
        answer = client.request(method, filled(path))
        if POLICIES[f"{method} {path}"] is None:
            assert answer.status_code == 200
        else:
            assert (answer.status_code, code_of(answer)) == (401, "no_key")
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_each_scope_opens_its_own_routes_alone(client):
    for scope in (Scope.SUBMIT, Scope.READ, Scope.METRICS):
        headers = key(client, scope)
        for method, path in routes_of(client):
            needed = POLICIES[f"{method} {path}"]
            code = code_of(client.request(method, filled(path), headers=headers))
            assert (code == "scope_missing") == (needed not in (None, scope)), (scope, method, path)


@pytest.mark.parametrize("sent", ["Bearer lfk_000000000000_" + "A" * 43, "Bearer x", "Bearer ", "Bearer \xff"])
def test_a_wrong_key_is_refused(client, sent):
    answer = client.get("/v1/model", headers={"Authorization": sent.encode("latin-1")})
    assert (answer.status_code, code_of(answer)) == (401, "invalid_key")


def test_other_ways_to_send_a_key_are_none(client):
    token = key(client, "admin")["Authorization"].split()[1]
    for headers in (
        [("Authorization", f"Basic {token}")],
        [("Authorization", token)],
        [("Authorization", f"Bearer {token}")] * 2,
    ):
        assert code_of(client.get("/v1/model", headers=headers)) == "no_key"
    assert code_of(client.get(f"/v1/model?key={token}")) == "no_key"


def test_a_revoked_key_ends_at_the_next_request(client):
    headers = key(client, "read", name="ward")
    assert client.get("/v1/model", headers=headers).status_code == 200
    client.app.state.keys.revoke("ward")
    assert code_of(client.get("/v1/model", headers=headers)) == "invalid_key"


def test_a_job_and_its_result_are_its_owners(client):
    mine, other, admin = key(client, "submit", "read"), key(client, "submit", "read"), key(client, "admin")
    job = client.post("/v1/studies?wait=20&format=nifti", files=FILES, headers=mine).json()
    assert job["state"] == "done"
    links = [job["links"]["self"], job["links"]["report"], f"{job['links']['mask']}?format=nifti"]
    never = [link.replace(job["id"], "f" * 32) for link in links]
    for link, unknown in zip(links, never, strict=True):
        assert client.get(link, headers=mine).status_code == 200
        refused = client.get(link, headers=other)
        # As if there were no such job: the same words, too.
        assert (refused.status_code, refused.json()) == (404, client.get(unknown, headers=other).json())
        assert client.get(link, headers=admin).status_code == 200
    assert client.delete(links[0], headers=other).status_code == 404
    assert client.delete(links[0], headers=mine).json()["code"] == "job_ended"


def test_an_idempotency_key_is_its_owners(client):
    mine, other = key(client, "submit"), key(client, "submit")
    ids = [
        client.post("/v1/studies", files=FILES, headers={**headers, "Idempotency-Key": "study-17"}).json()["id"]
        for headers in (mine, mine, other)
    ]
    assert ids[0] == ids[1] != ids[2]


def test_ones_own_jobs_are_listed_a_page_at_a_time(client):
    mine, other = key(client, "submit", "read"), key(client, "submit", "read")
    made = [client.post("/v1/studies", files=FILES, headers=mine).json()["id"] for _ in range(5)]
    client.post("/v1/studies", files=FILES, headers=other)
    pages, link = [], "/v1/jobs?limit=2"
    while link is not None:
        page = client.get(link, headers=mine).json()
        pages.append([job["id"] for job in page["jobs"]])
        link = page.get("links", {}).get("next")
    newest = made[::-1]
    assert pages == [newest[:2], newest[2:4], newest[4:]]
    assert client.get(f"/v1/jobs?before={made[0]}", headers=other).json() == {"jobs": []}
    assert len(client.get("/v1/jobs", headers=key(client, "admin")).json()["jobs"]) == 6
    for limit in ("0", "501", "-1", "x", "²", ""):
        assert code_of(client.get(f"/v1/jobs?limit={limit}", headers=mine)) == "invalid_limit"


def test_without_keys_there_is_no_list_and_an_id_is_enough(start):
    client = start("open")
    job = client.post("/v1/studies?wait=20&format=nifti", files=FILES).json()
    assert client.get(job["links"]["report"]).status_code == 200
    assert code_of(client.get("/v1/jobs")) == "no_list_without_keys"


def test_jobs_with_an_owner_stay_his_when_keys_are_no_longer_asked_for(start):
    first = start()
    job = first.post("/v1/studies?wait=20&format=nifti", files=FILES, headers=key(first, "submit")).json()
    second = start("open")
    assert second.get(job["links"]["self"]).status_code == 404
    assert second.get(job["links"]["report"]).status_code == 404


def test_without_keys_a_request_from_elsewhere_is_refused_but_for_probes(start):
    client = start("open", base_url="http://10.0.0.5:3000")
    assert code_of(client.get("/v1/model")) == "keys_required"
    assert code_of(client.post("/v1/segment", files=FILES)) == "keys_required"
    assert client.get("/readyz").status_code == 200
    assert start("gateway", base_url="http://10.0.0.5:3000").get("/v1/model").status_code == 200


def test_what_was_done_with_a_key_stands_in_the_trail(client):
    headers = key(client, "submit", "read", name="ward")
    job = client.post("/v1/studies?wait=20&format=nifti", files=FILES, headers=headers).json()
    client.get(job["links"]["report"], headers=headers)
    client.get(job["links"]["mask"].replace(job["id"], "0" * 32), headers=headers)
    told = [(entry.kind, entry.facts["job"]) for entry in client.app.state.audit.entries()]
    assert told == [("accepted", job["id"]), ("fetched", job["id"])]


def test_a_foreign_name_reaches_nothing(client):
    headers = {**key(client, "admin"), "Host": "evil.example"}
    for method, path in routes_of(client):
        assert client.request(method, filled(path), headers=headers).status_code == 421
