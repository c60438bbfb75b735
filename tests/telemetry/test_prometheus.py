"""A real Prometheus watches a real cluster: "money is late" fires when a pool is stopped, and clears when it drains."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ops.cluster.load import Load
from ops.cluster.waiting import until
from ops.servers.rabbitmq import free_ports
from shared.messages.work import POOLS

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"


class Prometheus:
    """Debian's Prometheus on a port of its own, scraping each second, with our rules made impatient."""

    def __init__(self, folder: Path, targets: list[str]) -> None:
        self.port = free_ports(1)[0]
        rules = RULES.read_text().replace("_due_seconds) > 600", "_due_seconds) > 8").replace("for: 2m", "for: 1s")
        (folder / "rules.yml").write_text(rules)
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "duecycle", "static_configs": [{"targets": targets}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        words = [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, path: str) -> dict:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return {"alerts": [], "activeTargets": []}

    def firing(self) -> set[str]:
        alerts = self.ask("alerts")["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def load(database_url: str, broker_url: str, tmp_path: Path) -> Iterator[Load]:
    made = Load(database_url, broker_url, tmp_path)
    yield made
    made.close()


@pytest.mark.slow
def test_money_is_late_fires_when_a_pool_is_stopped_and_clears_when_it_drains(load: Load, tmp_path: Path) -> None:
    """And what the rules ask for is really exported: promtool finds nothing wrong with a scrape."""
    load.begin(40, ["scheduler", *(pool for pool in POOLS if pool != "invoices")])
    ports = [member.port for member in load.members]
    watched = Prometheus(tmp_path, [f"127.0.0.1:{port}" for port in ports])
    try:
        until(lambda: [each["health"] for each in watched.ask("targets")["activeTargets"]] == ["up"] * len(ports))
        until(lambda: "DuecycleMoneyIsLate" in watched.firing())
        load.members.scale("invoices", 1)
        load.finish()
        until(lambda: "DuecycleMoneyIsLate" not in watched.firing())
    finally:
        watched.close()
    scrape = urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/metrics", timeout=10).read()
    checked = subprocess.run(["promtool", "check", "metrics"], input=scrape, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()
