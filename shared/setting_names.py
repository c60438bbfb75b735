"""Every environment variable that Duecycle knows. Any other name with its prefix is a mistake, and is refused."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from shared.gateways.providers import ONLINE

PREFIX: Final = "DUECYCLE_"
# Each of these may also be given as a file: <name>_FILE.
SETTINGS: Final = (
    *("DATABASE_URL", "DATABASE_PASSWORD", "BROKER_URL", "BROKER_PASSWORD", "MAIL_URL", "MAIL_PASSWORD"),
    *("PUBLIC_URL", "LINK_SECRET", "WEBHOOKS", "PROXIES", "HTTP", "THREADS"),
    *("LEASE_SECONDS", "STATEMENT_TIMEOUT_SECONDS", "STOP_SECONDS", "CLOCK_JUMP_SECONDS", "LOG_LEVEL"),
)
# Read where they are needed: secrets by name, stand-ins of providers, programs of servers, and what only
# compose, the tests and the scripts of deploy/ read.
OTHERS: Final = (
    *("SECRET_FOLDER", *(each.api_setting for each in ONLINE.values()), "DEBUG", "PG_BIN", "RABBITMQ_BIN"),
    *("VERSION", "SECRETS", "TEST_DATABASE_URL", "CONTRACTS", "LOCALSTRIPE", "RUNS", "NEXT", "NEXT_INSIDE"),
)
_SECRET: Final = re.compile(r"SECRET_[A-Z0-9][A-Z0-9_]*")
# What Kubernetes tells every pod of a Service whose name begins with duecycle.
_KUBERNETES: Final = re.compile(r"(.*_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)")
_KUBERNETES_VALUE: Final = re.compile(r"(tcp|udp|sctp)://.*")


def unknown_names(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that nothing reads, each (without the prefix) with what is wrong and the name that was likely meant."""
    known = {*SETTINGS, *(f"{name}_FILE" for name in SETTINGS), *OTHERS}
    wrong = {}
    for variable, value in sorted(environ.items()):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known or _SECRET.fullmatch(name):
            continue
        if _KUBERNETES.fullmatch(name) or (name.endswith("PORT") and _KUBERNETES_VALUE.fullmatch(value)):
            continue
        close = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
        fix = f"did you mean {PREFIX}{close[0]}?" if close else "remove it, or see docs/operating/settings.md"
        wrong[name] = f"is no setting of Duecycle; {fix}"
    return wrong
