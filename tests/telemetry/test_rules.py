"""Alert rules: Prometheus takes them, each is seen to fire and to stay quiet, and what they ask for is really exported."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.telemetry.test_metrics_page import exported

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"][0]["rules"]
TESTS = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]


def promtool(*words: str) -> None:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, cwd=FOLDER, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    promtool("check", "config", "prometheus.yml")


def test_every_alert_fires_when_it_must_and_stays_quiet_when_it_need_not() -> None:
    promtool("test", "rules", "rules_test.yml")


@pytest.mark.parametrize("alert", [rule["alert"] for rule in RULES])
def test_every_alert_has_both_tests(alert: str) -> None:
    """One that was never seen to fire proves nothing, and one that always fires is turned off."""
    names = {test["name"] for test in TESTS}
    assert {f"{alert} fires", f"{alert} does not fire"} <= names


def test_rules_ask_only_for_what_is_exported() -> None:
    asked = {name for rule in RULES for name in re.findall(r"duecycle_[a-z_]+", rule["expr"])}
    assert asked <= set(exported())


def test_every_alert_says_what_to_do() -> None:
    assert all({"summary", "description"} <= set(rule["annotations"]) for rule in RULES)
