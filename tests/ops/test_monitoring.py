"""Alert rules and dashboard for other tools ask only for metrics that are written."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ops.site.pages import TEMPLATES

MONITORING = Path(__file__).resolve().parents[2] / "ops" / "monitoring"
ALERTS, DASHBOARD = MONITORING / "alerts.yml", MONITORING / "dashboard.json"


def test_rules_and_dashboard_use_metrics_that_exist() -> None:
    written = re.findall(r'metric\("(\w+)"', (TEMPLATES / "metrics.prom.j2").read_text())
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    targets = [t for p in json.loads(DASHBOARD.read_text())["panels"] for t in p["targets"]]

    for asked in (*rules, *targets):
        named = re.findall(r"fortytwo_mirror_(\w+)", asked["expr"])
        assert named and set(named) <= set(written), asked["expr"]
    assert len({panel["expr"] for panel in targets}) == len(targets) > 10
    assert all(rule["labels"]["severity"] in ("warning", "critical") for rule in rules)


def test_promtool_accepts_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on this machine: apt-get install prometheus")
    subprocess.run([promtool, "check", "rules", ALERTS], check=True, capture_output=True)
