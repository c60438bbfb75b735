"""docs/operating/alerts.md: every alert of deploy/prometheus/rules.yml, with what it means and what to do."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "rules.yml"
FILE = "operating/alerts.md"
_ABOUT = """\
# Alerts

Written from [rules.yml](../../deploy/prometheus/rules.yml) by `python -m ops.pages`; edit that file, not this one. Each alert
has [a test](../../deploy/prometheus/rules_test.yml) in which it fires and one in which it does not. *page*: act now.
*ticket*: on the next working day. [Metrics](metrics.md) explains the figures.
"""
_TEMPLATES = (
    (re.compile(r"\{\{ if [^}]*\}\}(.*?)\{\{ else \}\}(.*?)\{\{ end \}\}"), r"\1, or \2"),
    (re.compile(r"\{\{ \$value \| humanizeDuration \}\}"), "some time"),
    (re.compile(r"\{\{ \$value[^}]*\}\}"), "N"),
    (re.compile(r"\{\{ \$labels\.(\w+) \}\}"), r"*\1*"),
)


def alerts_page(file: Path = RULES) -> str:
    """The text of the page."""
    groups = yaml.safe_load(file.read_text("utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    table = [
        f"| [`{rule['alert']}`](#{rule['alert'].lower()}) | {rule['labels']['severity']} | {_summary(rule)} |"
        for rule in rules
    ]
    sections = [line for rule in rules for line in _section(rule)]
    return "\n".join([_ABOUT, "| alert | severity | in short |", "|---|---|---|", *table, "", *sections])


def _summary(rule: dict[str, Any]) -> str:
    return _plain(rule["annotations"]["summary"])


def _plain(text: str) -> str:
    """An annotation with its templates as words: N for a value, a label's name for its value, both sides of a choice."""
    for template, words in _TEMPLATES:
        text = template.sub(words, text)
    return " ".join(text.split())


def _section(rule: dict[str, Any]) -> Iterator[str]:
    yield f"## {rule['alert']}"
    yield ""
    yield f"{_summary(rule)} ({rule['labels']['severity']})"
    yield ""
    yield _plain(rule["annotations"]["description"])
    yield ""
    lasting = f", for {rule['for']}" if "for" in rule else ""
    yield f"Fires when{lasting}:"
    yield ""
    yield from ("```promql", str(rule["expr"]).strip(), "```", "")
