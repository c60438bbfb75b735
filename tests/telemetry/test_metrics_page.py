"""The page of metrics names every one that is exported, with its labels and its help text, and no other."""

import re
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from scheduler.figures import DESCRIBED
from shared.telemetry import metrics

PAGE = (Path(__file__).parents[2] / "docs" / "operating" / "metrics.md").read_text("utf-8")
RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"
ROW = re.compile(r"^\| `(duecycle_\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def exported() -> Mapping[str, tuple[str, str]]:
    found = {name: (_labels(each.labels), each.help) for name, each in DESCRIBED.items()}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (_labels(metric._labelnames), family.documentation)
    return found


def _labels(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def test_the_page_of_metrics_is_complete_and_true() -> None:
    assert {name: (labels, text) for name, labels, text in ROW.findall(PAGE)} == exported()


def test_the_page_of_metrics_names_every_alert() -> None:
    rules = RULES.read_text("utf-8")
    alerts = re.findall(r"alert: (\w+)\n(?:.+\n)*?\s+labels: \{severity: (\w+)\}", rules)
    assert len(alerts) == rules.count("- alert:")
    assert re.findall(r"^\| `(Duecycle\w+)` \| (\w+) \|", PAGE, re.MULTILINE) == alerts


def test_questions_ask_for_what_is_exported() -> None:
    asked = set(re.findall(r"duecycle_\w+", PAGE))
    histograms = {f"{name}_{part}" for name in exported() for part in ("sum", "count", "bucket")}
    assert asked <= set(exported()) | histograms
