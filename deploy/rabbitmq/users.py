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
EVENTS, CHANGES = r"duecycle\.events", r"duecycle\.changes"


def queue(name: str) -> str:
    """The pattern of a queue's name, whatever its version."""
    return rf"duecycle\.{name}\.v[0-9]+"


def only(*patterns: str) -> str:
    """A permission for exactly these names; for none if there are none."""
    return f"^({'|'.join(patterns)})$" if patterns else "^$"


# role -> (configure, write, read)
PERMISSIONS = {
    "scheduler": (only(EVENTS, *map(queue, POOLS)), only(r"amq\.default", EVENTS), only()),
    **{pool: (only(queue(pool)), only(), only(queue(pool))) for pool in POOLS},
    # Binding a queue to an exchange writes to the queue and reads the exchange.
    "intake": (
        only(CHANGES, queue("intake"), queue("changes")),
        only(queue("changes")),
        only(CHANGES, queue("intake"), queue("changes")),
    ),
    "upstream": (only(), only(CHANGES), only()),
}


def hashed(password: str) -> str:
    """A password as RabbitMQ stores it: a salt and SHA-256 (www.rabbitmq.com/docs/passwords)."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(passwords: dict[str, str]) -> dict[str, object]:
    """Users with their permissions in one virtual host."""
    users = [
        {
            "name": role,
            "password_hash": hashed(password),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": [],
        }
        for role, password in passwords.items()
    ]
    permissions = [
        {"user": role, "vhost": VHOST, "configure": configure, "write": write, "read": read}
        for role, (configure, write, read) in PERMISSIONS.items()
    ]
    exchanges = [{"name": "duecycle.changes", "vhost": VHOST, "type": "topic", "durable": True, "auto_delete": False}]
    return {
        "vhosts": [{"name": VHOST, "default_queue_type": "quorum"}],
        "users": users,
        "permissions": permissions,
        "exchanges": [{**each, "internal": False, "arguments": {}} for each in exchanges],
    }


def main(folder: Path) -> None:
    """Write one file for each secret, readable by containers' users; the folder itself is closed to others."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "gateways").mkdir(mode=0o755, exist_ok=True)  # the accounts' secrets, put there by whoever has them
    passwords = {role: secrets.token_urlsafe(24) for role in PERMISSIONS}
    files = {f"broker_{role}": password for role, password in passwords.items()}
    files |= {name: secrets.token_urlsafe(32) for name in ("database_owner", "database_app", "links")}
    files |= {"mail": "", "rabbitmq_definitions.json": json.dumps(definitions(passwords), indent=2)}
    for name, text in files.items():
        path = folder / name
        path.write_text(text)
        path.chmod(0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
