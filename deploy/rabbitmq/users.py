"""`python deploy/rabbitmq/users.py FOLDER`: random passwords, and RabbitMQ's definitions with one user for each role.

Each user may do what its role needs and nothing else: configure what it declares, write where it publishes, read what it
consumes. tests/deploy compares these permissions with the topology in the code.
"""

import base64
import hashlib
import json
import secrets
import sys
from pathlib import Path

VHOST = "duecycle"
POOLS = ("orders", "invoices", "charges", "notices", "intake")
EVENTS, CHANGES, UNROUTED = r"duecycle\.events", r"duecycle\.changes", r"duecycle\.changes\.unrouted"
WORK = r"duecycle\.work"
OWN = r"consumer\..+"  # what readers of events call queues of their own
KEPT = {"x-queue-type": "quorum", "x-delivery-limit": -1}  # a message is never dropped
# The database's roles: one for each kind of process, as shared/store/grants.py names them.
ROLES = tuple(f"database_{kind}" for kind in ("scheduler", *POOLS, "webhooks", "ops", "monitoring"))
# What has to be there before anybody publishes, as shared/broker/topology.py describes it.
EXCHANGES = {
    "duecycle.changes.unrouted": ("fanout", {}),
    "duecycle.changes": ("topic", {"alternate-exchange": "duecycle.changes.unrouted"}),
    "duecycle.events": ("topic", {}),
    "duecycle.work": ("direct", {}),
}
QUEUES = {
    "duecycle.unrouted.v1": KEPT,
    "duecycle.changes.v1": KEPT,
    "duecycle.events.v1": {**KEPT, "x-max-length-bytes": 1 << 30, "x-overflow": "reject-publish"},
}
BINDINGS = (
    ("duecycle.unrouted.v1", "duecycle.changes.unrouted", ""),
    ("duecycle.changes.v1", "duecycle.changes", "#"),
    ("duecycle.events.v1", "duecycle.events", "#"),
)


def queue(name: str) -> str:
    """The pattern of a queue's name, whatever its version."""
    return rf"duecycle\.{name}\.v[0-9]+"


def only(*patterns: str) -> str:
    """A permission for exactly these names; for none if there are none."""
    return f"^({'|'.join(patterns)})$" if patterns else "^$"


# role -> (configure, write, read)
PERMISSIONS = {
    # Binding a queue to an exchange writes to the queue and reads the exchange; so does naming an alternate exchange.
    "scheduler": (
        only(EVENTS, WORK, queue("events"), *map(queue, POOLS)),
        only(EVENTS, WORK, queue("events"), *map(queue, POOLS)),
        only(EVENTS, WORK),
    ),
    **{pool: (only(queue(pool)), only(), only(queue(pool))) for pool in POOLS},
    "intake": (
        only(CHANGES, UNROUTED, queue("intake"), queue("changes"), queue("unrouted")),
        only(UNROUTED, queue("changes"), queue("unrouted")),
        only(CHANGES, UNROUTED, queue("intake"), queue("changes"), queue("unrouted")),
    ),
    "upstream": (only(), only(CHANGES), only()),
    # An operator sends old events to one queue alone, whichever it is: by the default exchange.
    "ops": (only(), only(r"amq\.default"), only()),
    # Upstream reads our events: from the queue that has them all, or from queues of its own, which it binds to the exchange.
    "consumer": (only(OWN), only(OWN), only(OWN, EVENTS, queue("events"))),
    "monitoring": (only(), only(), only()),
}
# Who sees RabbitMQ's own pages and their API; of a virtual host only who may enter it.
TAGS = {"monitoring": ["monitoring"]}


def hashed(password: str) -> str:
    """A password as RabbitMQ stores it: a salt and SHA-256 (www.rabbitmq.com/docs/passwords)."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(passwords: dict[str, str]) -> dict[str, object]:
    """Users with their permissions in one virtual host, and the queues that must not miss a message."""
    users = [
        {
            "name": role,
            "password_hash": hashed(password),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": TAGS.get(role, []),
        }
        for role, password in passwords.items()
    ]
    permissions = [
        {"user": role, "vhost": VHOST, "configure": configure, "write": write, "read": read}
        for role, (configure, write, read) in PERMISSIONS.items()
    ]
    lasting = {"vhost": VHOST, "durable": True, "auto_delete": False}
    bindings = [
        {"vhost": VHOST, "source": exchange, "destination": queue, "destination_type": "queue", "routing_key": key}
        for queue, exchange, key in BINDINGS
    ]
    return {
        "vhosts": [{"name": VHOST, "default_queue_type": "quorum"}],
        "users": users,
        "permissions": permissions,
        "exchanges": [
            {**lasting, "name": name, "type": kind, "internal": False, "arguments": arguments}
            for name, (kind, arguments) in EXCHANGES.items()
        ],
        "queues": [{**lasting, "name": name, "arguments": arguments} for name, arguments in QUEUES.items()],
        "bindings": [{**each, "arguments": {}} for each in bindings],
    }


def main(folder: Path) -> None:
    """Write one file for each secret, readable by containers' users; the folder itself is closed to others."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "gateways").mkdir(mode=0o755, exist_ok=True)  # the accounts' secrets, added by the operator
    passwords = {role: secrets.token_urlsafe(24) for role in PERMISSIONS}
    files = {f"broker_{role}": password for role, password in passwords.items()}
    files |= {name: secrets.token_urlsafe(32) for name in ("database_owner", *ROLES, "links")}
    files |= {"mail": "", "rabbitmq_definitions.json": json.dumps(definitions(passwords), indent=2)}
    for name, text in files.items():
        path = folder / name
        path.write_text(text)
        path.chmod(0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
