"""Alerts and dashboard name metrics, labels and values that exist; each alert is explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
import yaml

from inference_service.errors import ERRORS
from inference_service.progress import Stage
from inference_service.server.metrics import Metrics
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
RULES = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
BOARD = json.loads((DEPLOY / "grafana.json").read_text())
PROTOS = "".join(path.read_text() for path in (ROOT / "proto/notabot/v1").glob("*.proto"))
VALUES = {
    "stage": {str(stage) for stage in Stage},
    "code": {"OK", *ERRORS},
    "method": set(re.findall(r"rpc (\w+)\(", PROTOS)),
    "job": {
        yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["scrape_configs"][0]["job_name"]
    },
}
FROM_SCRAPE = {"instance", "job"}


def _shown() -> Iterator[str]:
    for panel in BOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


EXPRESSIONS = [*(rule["expr"] for rule in RULES), *_shown()]


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """Return the labels of every series of the service, and of what is made from them."""
    metrics = Metrics()
    metrics.count_call("Transcribe", "OK", 1.0)
    metrics.observe_stage("tagging", 1.0)
    metrics.watch_queue(lambda: 0, lambda: False)
    metrics.watch_models(lambda: {"voice": "some@1"})
    metrics.watch_disk({"results": Path("/")})
    found: dict[str, set[str]] = {"up": set(), **{name: set() for name in RECORDED}}
    for family in metrics.registry.collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _parse(expression: str) -> promql_parser.Expr:
    return promql_parser.parse(re.sub(r"\$__rate_interval", "5m", expression))


def _selectors(expression: str) -> list[promql_parser.VectorSelector]:
    """Return the series that an expression reads."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(_parse(expression), visit)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_metrics_and_labels_exist(expression: str, labels: dict[str, set[str]]) -> None:
    selectors = _selectors(expression)
    assert selectors
    for selector in selectors:
        name = selector.name or ""
        assert name in labels
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels[name] | FROM_SCRAPE
            assert set(matcher.value.split("|")) <= VALUES[matcher.name]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_labels_that_are_grouped_by_exist(expression: str, labels: dict[str, set[str]]) -> None:
    grouped = {
        label.strip()
        for group in re.findall(r"by \(([^)]*)\)", expression)
        for label in group.split(",")
    }
    known = set().union(*(labels[each.name or ""] for each in _selectors(expression)))
    assert grouped <= known | FROM_SCRAPE


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_alerts_say_what_is_wrong_and_how_urgent_it_is(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"]


def test_each_alert_is_explained() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.partition("## Alarms")[2].partition("\n## ")[0]
    explained = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", section, re.MULTILINE)
    assert explained == [alert["alert"] for alert in ALERTS]


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for panel in BOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert sorted(set(ids)) == ids


def test_prometheus_reads_the_rules() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    config = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())
    mounted = [volume.split(":") for volume in compose["services"]["prometheus"]["volumes"]]
    by_source = {source: target for source, target, *_ in mounted}
    folder = Path(by_source["./prometheus.yaml"]).parent
    assert [str(folder / name) for name in config["rule_files"]] == [by_source["./alerts.yaml"]]
