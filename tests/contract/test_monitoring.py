"""Rules and board ask for metrics that the service has; what the rules say of made-up days is asked of promtool."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from lesionflow.serving.prometheus_metrics import SECONDS_BUCKETS, ServiceMetrics
from support.cluster_manifests import FOLDER, ROOT, named

MONITORING = FOLDER / "components" / "monitoring"
GROUPS = yaml.safe_load((MONITORING / "rules.yaml").read_text(encoding="utf-8"))["spec"]["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
BOARD = json.loads((MONITORING / "board.json").read_text(encoding="utf-8"))
BOARDS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
#: What Prometheus adds when it scrapes by a ServiceMonitor.
SCRAPED = {"pod", "service"}
#: Words of PromQL that look like a name.
WORDS = {"by", "and", "or", "unless", "on", "ignoring", "without"}


def families():
    """Return the labels of each name that the service may answer at /metrics."""
    metrics = ServiceMetrics()
    metrics.studies.labels("segmented")
    metrics.requests.labels("/livez", "GET", "200")
    metrics.model.labels("name", "1", "digest")
    found = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def asked(expression):
    """Return every metric's name in an expression, and every label."""
    bare = re.sub(r'"[^"]*"', "", expression)
    labels = {
        label.strip()
        for group in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", bare)
        for label in group.split(",")
    } | set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)(?!=)", "".join(re.findall(r"\{[^}]*\}", bare))))
    rest = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring)\s*\([^)]*\)", " ", bare)
    names = {name for name in re.findall(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()", rest) if name not in WORDS}
    return names, labels


@pytest.mark.parametrize("expression", sorted({*BOARDS, *(rule["expr"] for rule in RULES)}))
def test_every_metric_and_label_is_one_of_the_service(expression):
    has = families()
    names, labels = asked(expression)
    # `sum by (...) (x)` keeps a space between, so that the name is not taken for a function.
    assert names
    assert names <= set(has)
    assert labels <= SCRAPED.union(*(has[name] for name in names))


def test_outcomes_and_bounds_are_those_of_the_code():
    source = (ROOT / "src/lesionflow/serving/segmentation.py").read_text(encoding="utf-8")
    everything = " ".join([*BOARDS, *(rule["expr"] for rule in RULES)])
    outcomes = set(re.findall(r'outcome!?=~?"([^"]*)"', everything))
    assert outcomes == {"segmented", "internal_error"}
    assert all(f'"{outcome}"' in source for outcome in outcomes)
    by_name = {rule["alert"]: rule for rule in RULES}
    (container,) = named("hospital", "Deployment", "lesionflow")["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    line = int(given["LESIONFLOW_MAX_CONCURRENT"]) + int(given["LESIONFLOW_MAX_WAITING"])
    assert by_name["LesionflowLineFull"]["expr"].endswith(f">= {line}")
    # A quantile is only as fine as the buckets.
    assert float(re.search(r"> (\d+)\n", by_name["LesionflowSlow"]["expr"])[1]) in SECONDS_BUCKETS


def test_every_alert_says_what_to_do_and_how_bad_it_is():
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names) > 5
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description"}
        for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
            assert label in SCRAPED


def test_panels_lie_beside_one_another_and_are_named():
    taken = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len({p["title"] for p in BOARD["panels"]}) == 11
    assert {panel["datasource"]["uid"] for panel in BOARD["panels"]} == {"${datasource}"}
    assert [one["name"] for one in BOARD["templating"]["list"]] == ["datasource"]


def test_the_board_and_the_monitor_are_rendered():
    assert json.loads(named("hospital", "ConfigMap", "lesionflow-board")["data"]["board.json"]) == BOARD
    labels = named("hospital", "Service", "lesionflow")["metadata"]["labels"]
    selector = named("hospital", "ServiceMonitor", "lesionflow")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    assert named("hospital", "PrometheusRule", "lesionflow")["spec"]["groups"] == GROUPS


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on this machine (Debian: prometheus)")
def test_promtool_reads_every_expression_and_made_up_days_raise_what_they_should(tmp_path):
    recorded = [{"record": f"board:{number}", "expr": each} for number, each in enumerate(BOARDS)]
    (tmp_path / "board.yaml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": recorded}]}))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": GROUPS}))
    days = (MONITORING / "rules_test.yaml").read_text(encoding="utf-8")
    (tmp_path / "rules_test.yaml").write_text(days)
    for words in (["check", "rules", "board.yaml", "rules.yaml"], ["test", "rules", "rules_test.yaml"]):
        done = subprocess.run(["promtool", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    raised = {
        test["alertname"]
        for day in yaml.safe_load(days)["tests"]
        for test in day["alert_rule_test"]
        if test["exp_alerts"]
    }
    assert raised == {rule["alert"] for rule in RULES}
