"""The compose file: hardened, without a default password, and every user may do what its role needs and nothing else."""

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from shared.broker.names import CHANGES_EXCHANGE, CHANGES_QUEUE, EVENTS_EXCHANGE, EVENTS_QUEUE, WORK_EXCHANGE, queue_of
from shared.broker.topology import EXCHANGES, KEPT, arguments, parts_of
from shared.messages.work import POOLS
from shared.store.grants import KINDS, role_of

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = [name for name, each in COMPOSE["services"].items() if str(each["image"]).startswith("duecycle")]
PROCESSES = ["scheduler", *POOLS]
LISTENS = "webhooks"


@pytest.fixture(scope="module")
def made() -> ModuleType:
    """The program that makes the secrets."""
    spec = importlib.util.spec_from_file_location("made_secrets", ROOT / "deploy" / "rabbitmq" / "users.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_do_little(name: str) -> None:
    """No capability, no new privilege, nothing to write to but memory; the image names a user that is not root."""
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert "USER 10001" in (ROOT / "deploy" / "Dockerfile").read_text()


@pytest.mark.parametrize("name", PROCESSES)
def test_every_process_can_be_scaled_and_ends_in_time(name: str) -> None:
    service = COMPOSE["services"][name]
    assert not {"container_name", "ports"} & set(service)
    assert service["stop_grace_period"] == "30s"
    assert service["restart"] == "unless-stopped"


def test_images_are_pinned_and_ports_are_for_this_machine_alone() -> None:
    for service in COMPOSE["services"].values():
        assert re.search(r":[^/]+$", service["image"]), service["image"]
        assert not service["image"].endswith(":latest")
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_no_password_stands_in_the_file_and_none_has_a_default() -> None:
    """Passwords are files that `make env` writes; without them compose refuses to start."""
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"://[^/\s:@]+:[^@\s/]+@", text)
    assert not re.search(r"PASSWORD: ", text)
    assert all(":?run make env first}" in secret["file"] for secret in COMPOSE["secrets"].values())


def test_every_secret_that_is_named_is_made_and_every_one_made_is_used(made: ModuleType, tmp_path: Path) -> None:
    made.main(tmp_path / "secrets")
    files = {path.name for path in (tmp_path / "secrets").iterdir() if path.is_file()}
    assert (tmp_path / "secrets" / "gateways").is_dir()

    for_people = {"broker_monitoring"}  # no process of ours signs in as this user
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} == files - for_people
    used = {
        each if isinstance(each, str) else each["source"]
        for service in COMPOSE["services"].values()
        for each in service.get("secrets", ())
    }
    assert used == set(COMPOSE["secrets"])


def test_passwords_are_random_and_the_folder_is_closed(made: ModuleType, tmp_path: Path) -> None:
    made.main(tmp_path / "one")
    made.main(tmp_path / "two")

    first, second = ((tmp_path / each / "broker_orders").read_text() for each in ("one", "two"))
    assert first != second
    assert len(first) >= 32
    assert (tmp_path / "one").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("role", [*PROCESSES, "upstream"])
def test_a_user_may_configure_what_its_role_declares(made: ModuleType, role: Any) -> None:
    """The permissions and the topology say the same."""
    configure, write, read = made.PERMISSIONS[role]
    parts = parts_of(role)
    if role != "upstream":  # upstream finds its exchange made
        assert all(re.fullmatch(configure[1:-1], name) for name in (*parts.queues, *parts.exchanges))
    for queue, exchange, _key in parts.bindings:
        assert re.match(write, queue)
        assert re.match(read, exchange)
    others = {queue_of(pool) for pool in POOLS} | {CHANGES_QUEUE} - set(parts.queues)
    if role in POOLS:
        assert re.match(read, queue_of(role))
        assert not any(re.match(read, queue) for queue in others - set(parts.queues))
        assert not re.match(write, "amq.default")


def test_what_must_not_miss_a_message_is_there_before_anybody_publishes(made: ModuleType) -> None:
    """RabbitMQ makes it at its first start, with the properties that the programs then find: so a confirmed change is kept."""
    defined = made.definitions({})
    assert {each["name"]: (each["type"], each["arguments"]) for each in defined["exchanges"]} == EXCHANGES
    assert {each["name"]: each["arguments"] for each in defined["queues"]} == {
        name: arguments(name, (4, 0)) for name in KEPT
    }
    bound = {(each["destination"], each["source"], each["routing_key"]) for each in defined["bindings"]}
    work = {
        each for each in parts_of("scheduler").bindings if each[1] == WORK_EXCHANGE
    }  # of queues that the scheduler makes
    assert bound == {*parts_of("intake").bindings, *parts_of("scheduler").bindings} - work
    assert all(each["durable"] for each in (*defined["exchanges"], *defined["queues"]))


def test_whoever_listens_for_upstream_reads_the_events_and_nothing_else(made: ModuleType) -> None:
    """From our queue, or from queues of its own, which it may make and bind to the exchange."""
    configure, write, read = made.PERMISSIONS["consumer"]
    assert configure == write == r"^(consumer\..+)$"
    ours = {EVENTS_QUEUE, CHANGES_QUEUE, EVENTS_EXCHANGE, CHANGES_EXCHANGE, WORK_EXCHANGE, *map(queue_of, POOLS)}
    for pattern in (configure, write, read):
        assert re.match(pattern, "consumer.ledger")
        assert not any(re.match(pattern, name) for name in ("consumer.", "consumer", "xconsumer.ledger"))
    assert {name for name in ours if re.match(read, name)} == {EVENTS_QUEUE, EVENTS_EXCHANGE}
    assert not any(re.match(pattern, name) for pattern in (configure, write) for name in ours)


def test_who_publishes_where(made: ModuleType) -> None:
    """Only the scheduler dispatches, only upstream sends changes."""
    writes = {role: patterns[1] for role, patterns in made.PERMISSIONS.items()}
    assert [role for role, write in writes.items() if re.match(write, "amq.default")] == ["ops"]
    assert [role for role, write in writes.items() if re.match(write, WORK_EXCHANGE)] == ["scheduler"]
    assert [role for role, write in writes.items() if re.match(write, EVENTS_EXCHANGE)] == ["scheduler"]
    assert [role for role, write in writes.items() if re.match(write, CHANGES_EXCHANGE)] == ["upstream"]


def test_every_process_has_a_database_role_of_its_own() -> None:
    """With a password of its own, and the broker knows an operator from the scheduler; only who migrates is the owner."""
    for name in (*PROCESSES, LISTENS, "ops", "reconcile"):
        service = COMPOSE["services"][name]
        kind = "ops" if name == "reconcile" else name
        assert service["environment"]["DUECYCLE_DATABASE_URL"] == f"postgresql://{role_of(kind)}@postgres:5432/duecycle"
        assert service["environment"]["DUECYCLE_DATABASE_PASSWORD_FILE"] == f"/run/secrets/database_{kind}"
        assert f"database_{kind}" in service["secrets"]
    assert "amqp://ops@" in COMPOSE["services"]["ops"]["environment"]["DUECYCLE_BROKER_URL"]
    owners = [name for name, each in COMPOSE["services"].items() if "database_owner" in each.get("secrets", ())]
    assert owners == ["postgres", "migrate"]
    assert {f"database_{kind}" for kind in KINDS} < set(COMPOSE["services"]["migrate"]["secrets"])


def test_env_never_overwrites(tmp_path: Path) -> None:
    """A second `make env` leaves the passwords that the databases know."""
    for part in ("deploy/env.sh", "deploy/rabbitmq/users.py"):
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).write_bytes((ROOT / part).read_bytes())
    found = []
    for _ in range(2):
        subprocess.run(["bash", "deploy/env.sh"], cwd=tmp_path, check=True, capture_output=True)
        found.append((tmp_path / "secrets" / "database_ops").read_text())

    assert found[0] == found[1]
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


def test_who_opens_the_agencies_accounts() -> None:
    """Charges, the listener and the comparison read the accounts' secrets; nobody writes there, and nobody else reads."""
    mounts = {name: each.get("volumes", []) for name, each in COMPOSE["services"].items() if name in OURS}
    reads = {name for name, volumes in mounts.items() if any("/gateways:" in str(volume) for volume in volumes)}
    assert reads == {"charges", "webhooks", "reconcile"}
    assert all(str(volume).endswith(":ro") for name in reads for volume in mounts[name])


def test_the_image_is_built_once() -> None:
    """One service builds it; the others take what is there, by the same name, and never ask a registry for it."""
    services = {name: COMPOSE["services"][name] for name in OURS}
    assert [name for name, each in services.items() if "build" in each] == ["migrate"]
    assert len({each["image"] for each in services.values()}) == 1
    assert {name for name, each in services.items() if each["pull_policy"] == "never"} == set(OURS) - {"migrate"}


def test_a_command_of_an_operator_starts_no_migration() -> None:
    """`docker compose run ops status` waits for the servers, and changes nothing; nor does whoever it waits for."""
    services = COMPOSE["services"]
    tools = [name for name in OURS if "tools" in services[name].get("profiles", ())]
    assert set(tools) == {"ops", "reconcile", "upstream", "consumer"}
    for tool in tools:
        assert set(services[tool]["depends_on"]) <= {"postgres", "rabbitmq"}
        assert all(each["condition"] == "service_healthy" for each in services[tool]["depends_on"].values())
    assert not any("depends_on" in services[name] for name in ("postgres", "rabbitmq"))


def test_scaling_one_pool_touches_nothing_else() -> None:
    """As the page tells it: no dependency is started, and no container is recreated."""
    told = "docker compose up -d --no-deps --no-recreate --scale charges=3 charges"
    assert told in (ROOT / "docs" / "operating" / "cluster.md").read_text()
    assert told in (ROOT / "docker-compose.yml").read_text()


def test_the_listener_has_no_business_with_the_broker() -> None:
    service = COMPOSE["services"][LISTENS]
    assert not [name for name in service["environment"] if "BROKER" in name]
    assert "rabbitmq" not in service["depends_on"]
    assert service["stop_grace_period"] == "30s"
