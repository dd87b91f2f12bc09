"""The manifests: each object by Kubernetes' own schemas, and what we ask of all of them beyond that."""

import ast
import re
import shlex
import subprocess

import pytest
import yaml

from lesionflow.config.settings import KeySettings, Settings, StudyLimits
from lesionflow.serving.service import TIMEOUT_S
from lesionflow.serving.settings import ServiceSettings
from support.cluster_manifests import (
    FOLDER,
    OVERLAYS,
    ROOT,
    containers,
    mentions,
    named,
    of_kind,
    pods,
    rendered,
    validator,
)
from support.mlflow_hosts import options_of, statuses

#: The oldest Kubernetes that has all that is used (a pause as `preStop`), and the newest whose schemas are at hand.
KUBERNETES = ("1.30", "1.37")
OPERATORS = {"ServiceMonitor", "PrometheusRule"}
APP = "app.kubernetes.io/name"
overlays = pytest.mark.parametrize("overlay", OVERLAYS)


@overlays
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_is_one_of_kubernetes(overlay, version):
    kubernetes = validator()
    kinds = set()
    for thing in rendered(overlay):
        if thing["kind"] not in OPERATORS:
            kubernetes.validate(thing, version, strict=True)
            kinds.add(thing["kind"])
    assert len(kinds) >= 9


def test_what_pipelines_find_is_of_kubernetes_too_and_what_the_pipeline_asks_for():
    kubernetes = validator()
    settings = rendered("pipelines")
    for thing in settings:
        kubernetes.validate(thing, KUBERNETES[-1], strict=True)
    asked = yaml.safe_load((ROOT / "pipelines" / "cluster.yaml").read_text(encoding="utf-8"))
    (plain,) = (thing for thing in settings if thing["kind"] == "ConfigMap")
    known = {*asked["plain"]["required"], *asked["plain"]["optional"]}
    assert plain["metadata"]["name"] == asked["plain"]["name"]
    assert set(asked["plain"]["required"]) <= set(plain["data"]) <= known
    claims = {thing["metadata"]["name"] for thing in settings if thing["kind"] == "PersistentVolumeClaim"}
    assert claims == {claim["name"] for claim in asked["claims"]}
    # What both sides take from the object store's Secret.
    (store,) = (secret for secret in asked["secret_env"] if secret["name"] == "lesionflow-store")
    assert {("lesionflow-store", key) for key in store["env"].values()} == {
        (secret, key) for secret, key in secrets_asked_for("laptop") if secret == "lesionflow-store"
    }


@overlays
def test_no_pod_is_root_writes_to_its_root_or_keeps_a_capability(overlay):
    for name, pod in pods(overlay):
        assert pod["automountServiceAccountToken"] is False, name
        security = pod["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"], security["runAsGroup"]) == (True, 10001, 10001), name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(pod), name
        assert {kind for volume in pod.get("volumes", []) for kind in volume if kind != "name"} <= {
            "emptyDir", "secret", "configMap", "persistentVolumeClaim"
        }, name  # fmt: skip
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume), name
    for name, container in containers(overlay):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
    (namespace,) = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@overlays
def test_every_container_has_requests_and_limits_and_an_image_by_digest(overlay):
    for name, container in containers(overlay):
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert set(requests) == set(limits) == {"cpu", "memory", "ephemeral-storage"}, name
        for what, asked in requests.items():
            assert quantity(asked) <= quantity(limits[what]), (name, what)
        assert re.fullmatch(r"[\w./-]+@sha256:[0-9a-f]{64}", container["image"]), name


@overlays
def test_every_container_that_stays_is_probed_on_a_port_of_its_own(overlay):
    for name, pod in pods(overlay):
        for container in pod["containers"]:
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                way = container[probe]
                assert ("exec" in way) != ("httpGet" in way), (name, probe)
                assert "exec" in way or way["httpGet"]["port"] in ports, (name, probe)


@overlays
def test_what_is_referred_to_is_there(overlay):
    accounts = {thing["metadata"]["name"] for thing in of_kind(overlay, "ServiceAccount")}
    maps = {thing["metadata"]["name"] for thing in of_kind(overlay, "ConfigMap")}
    services = {thing["metadata"]["name"]: thing["spec"] for thing in of_kind(overlay, "Service")}
    for thing in of_kind(overlay, "StatefulSet"):
        assert thing["spec"]["serviceName"] in services
    for name, pod in pods(overlay):
        assert pod["serviceAccountName"] in accounts, name
        volumes = {volume["name"] for volume in pod.get("volumes", [])} | claims_of(overlay, name)
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes, name
        for key, value in mentions(pod):
            if key in {"configMap", "configMapRef", "configMapKeyRef"}:
                assert value["name"] in maps, name
    assert secrets_asked_for(overlay) == secrets_made()
    for host, port in {address for _, container in containers(overlay) for address in addresses_of(container)}:
        assert int(port) in {each["port"] for each in services[host]["ports"]}, host


@overlays
def test_selectors_find_the_pods_that_they_mean_and_ports_match(overlay):
    templates = {
        thing["metadata"]["name"]: thing["spec"]["template"] for thing in of_kind(overlay, "Deployment", "StatefulSet")
    }
    for thing in of_kind(overlay, "Deployment", "StatefulSet"):
        assert (
            thing["spec"]["selector"]["matchLabels"].items() <= thing["spec"]["template"]["metadata"]["labels"].items()
        )
    for service in of_kind(overlay, "Service"):
        found = chosen(templates, service["spec"]["selector"])
        assert found == [service["metadata"]["name"]]
        ports = {port["name"]: port["containerPort"] for port in templates[found[0]]["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)
        assert all(port["port"] == ports[port["targetPort"]] for port in service["spec"]["ports"])
    (budget,), (scaler,) = of_kind(overlay, "PodDisruptionBudget"), of_kind(overlay, "HorizontalPodAutoscaler")
    assert chosen(templates, budget["spec"]["selector"]["matchLabels"]) == ["lesionflow"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == "lesionflow"
    # Two hands on the number of pods would undo one another.
    assert "replicas" not in named(overlay, "Deployment", "lesionflow")["spec"]
    # What is asked is told apart from what is used.
    assert scaler["spec"]["minReplicas"] <= scaler["spec"]["maxReplicas"]


@overlays
def test_nothing_is_open_but_what_a_workload_asks_for(overlay):
    policies = {thing["metadata"]["name"]: thing["spec"] for thing in of_kind(overlay, "NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    allowed = set()
    for policy in policies.values():
        (target,) = policy["podSelector"].get("matchLabels", {APP: "*"}).values()
        for rule in policy.get("egress", []):
            assert rule["to"], "an empty list allows all"
            for to in rule["to"]:
                pod = to.get("podSelector", {}).get("matchLabels", {}).get(APP)
                allowed |= {(target, pod, port["port"]) for port in rule["ports"]}
        for rule in policy.get("ingress", []):
            assert rule["from"], "an empty list allows all"
            assert all([*rule["ports"], *rule["from"]]), "an empty one allows all"
    needed = {
        (name, host, int(port))
        for name, pod in pods(overlay)
        for container in [*pod.get("initContainers", []), *pod["containers"]]
        for host, port in addresses_of(container)
    }
    assert {way for way in allowed if way[1]} == needed
    assert {way for way in allowed if not way[1]} == {("*", None, 53)}
    for source, target, port in needed:
        entries = [rule for rule in policies[target]["ingress"] if {"protocol": "TCP", "port": port} in rule["ports"]]
        assert {"podSelector": {"matchLabels": {APP: source}}} in [peer for rule in entries for peer in rule["from"]]


@overlays
def test_settings_of_the_service_are_those_that_it_reads(overlay):
    deployment = named(overlay, "Deployment", "lesionflow")["spec"]["template"]["spec"]
    (container,) = deployment["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    known = {
        f"LESIONFLOW_{field}".upper()
        for model in (ServiceSettings, Settings, KeySettings, StudyLimits)
        for field in model.model_fields
    }
    ours = {name: value for name, value in given.items() if name.startswith("LESIONFLOW_")}
    assert set(ours) <= known
    fields = {name.removeprefix("LESIONFLOW_").lower(): value for name, value in ours.items()}
    ServiceSettings.model_validate(fields)
    # A study is refused by name before the kernel ends the pod; what is written has room.
    limits = container["resources"]["limits"]
    assert quantity(fields["memory_mb"] + "M") < quantity(limits["memory"])
    volumes = {volume["name"]: volume.get("emptyDir") for volume in deployment["volumes"]}
    taken = int(fields["max_concurrent"]) + int(fields["max_waiting"])
    uploads = taken * quantity(fields["max_upload_mb"] + "M") + quantity(fields["max_unpacked_mb"] + "M")
    assert uploads < quantity(volumes["scratch"]["sizeLimit"])
    assert sum(quantity(each["sizeLimit"]) for each in volumes.values()) < quantity(limits["ephemeral-storage"])
    for name in ("TMPDIR", "HOME", "BENTOML_HOME", "MPLCONFIGDIR", "LESIONFLOW_STATE_DIR"):
        assert any(given[name].startswith(mount["mountPath"]) for mount in container["volumeMounts"]), name


@overlays
def test_a_study_that_was_begun_is_answered_before_the_pod_is_gone(overlay):
    pod = named(overlay, "Deployment", "lesionflow")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause >= 2 * container["readinessProbe"]["periodSeconds"]
    given = {each["name"]: each["value"] for each in container["env"]}
    drain = float(given["LESIONFLOW_DRAIN_S"])
    assert drain >= TIMEOUT_S
    assert pod["terminationGracePeriodSeconds"] > pause + drain
    # What only this pod could go on with is not accepted for later.
    assert given["LESIONFLOW_MAX_QUEUED"] == "0"
    # The process that becomes the server: a shell or a parent in between would swallow the signal.
    assert container["command"] == ["python", "-m", "lesionflow.serving"]
    known = set(re.findall(r'"(--[\w-]+)"', (ROOT / "src/lesionflow/serving/__main__.py").read_text(encoding="utf-8")))
    assert {word.partition("=")[0] for word in container["args"]} <= known


def test_probes_ask_routes_that_the_service_has():
    tree = ast.parse((ROOT / "src/lesionflow/serving/api.py").read_text(encoding="utf-8"))
    routes = {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Route"
    }
    (container,) = named("laptop", "Deployment", "lesionflow")["spec"]["template"]["spec"]["containers"]
    asked = {container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert asked == {"/livez", "/readyz"} <= routes
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (endpoint,) = named("hospital", "ServiceMonitor", "lesionflow")["spec"]["endpoints"]
    assert endpoint["path"] in routes
    assert endpoint["port"] in {port["name"] for port in named("hospital", "Service", "lesionflow")["spec"]["ports"]}


@overlays
def test_mlflow_is_started_by_words_that_it_knows_and_answers_to_its_names(overlay, monkeypatch):
    (container,) = named(overlay, "Deployment", "mlflow")["spec"]["template"]["spec"]["containers"]
    command = [*container["command"], *container["args"]]
    options = options_of(command)
    assert (options["host"], options["port"]) == ("0.0.0.0", container["ports"][0]["containerPort"])
    assert options["artifacts_destination"].startswith("s3://mlflow/")
    pipelines = (FOLDER / "pipelines" / "settings.yaml").read_text(encoding="utf-8")
    asked = {
        "mlflow:5000": 200,
        "mlflow.lesionflow.svc.cluster.local:5000": 200,
        re.search(r"MLFLOW_TRACKING_URI: http://(\S+)", pipelines)[1]: 200,
        "mlflow.evil.example:5000": 403,
        "10.1.2.3:5000": 403,
    }
    assert statuses(command, list(asked), monkeypatch) == {**asked, "health": 200}


@overlays
def test_secrets_are_named_and_never_written(overlay):
    assert of_kind(overlay, "Secret") == []
    for name, container in containers(overlay):
        for variable in container.get("env", []):
            secret = re.search("PASSWORD|SECRET|KEY", variable["name"]) and not variable["name"].endswith("_FILE")
            assert not secret or "secretKeyRef" in variable.get("valueFrom", {}), (name, variable["name"])
        assert not re.search(
            r"PASSWORD|SECRET", shlex.join([*container.get("command", []), *container.get("args", [])])
        ), name


def secrets_made():
    """Return (Secret, key) of each that the script prints."""
    made = subprocess.run(["sh", str(FOLDER / "secrets.sh")], capture_output=True, text=True, check=True).stdout
    secrets = list(yaml.safe_load_all(made))
    values = [value for secret in secrets for value in secret["stringData"].values()]
    assert all(re.fullmatch("[0-9a-f]{20,48}", value) for value in values)
    assert len(set(values)) == len(values)
    return {(secret["metadata"]["name"], key) for secret in secrets for key in secret["stringData"]}


def secrets_asked_for(overlay):
    asked = set()
    for _, pod in pods(overlay):
        for key, value in mentions(pod):
            if key == "secretKeyRef":
                asked.add((value["name"], value["key"]))
            if key == "secret":
                asked |= {(value["secretName"], item["key"]) for item in value["items"]}
    return asked


def claims_of(overlay, workload):
    return {
        claim["metadata"]["name"]
        for thing in of_kind(overlay, "StatefulSet")
        if thing["metadata"]["name"] == workload
        for claim in thing["spec"]["volumeClaimTemplates"]
    }


def addresses_of(container):
    """Return (host, port) of each Service that the container is told of."""
    told = " ".join(each.get("value", "") for each in container.get("env", []))
    return re.findall(r"(?:http://|@)([a-z-]+):(\d+)", told)


def chosen(templates, labels):
    return [name for name, template in templates.items() if labels.items() <= template["metadata"]["labels"].items()]


def quantity(text):
    """Return a quantity of Kubernetes as a number."""
    number, unit = re.fullmatch(r"([\d.]+)(m|k|M|G|T|Ki|Mi|Gi|Ti)?", text).groups()
    power = {None: 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} | {
        f"{letter}i": 1024 ** (1 + place) for place, letter in enumerate("KMGT")
    }
    return float(number) * power[unit]
