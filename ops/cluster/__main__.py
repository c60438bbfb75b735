"""`make cluster` and `make scale`: a cluster on this machine, and how many processes of a pool it has."""

import signal
import sys
import threading
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from ops.bench import seed
from ops.cluster.local import MONITORING, LocalCluster
from ops.cluster.members import KINDS, Members
from ops.status import Picture
from shared.settings import load
from shared.store.database import Store, make_engine

LOOK_SECONDS = 1.0
folder_option = click.option("--folder", type=click.Path(path_type=Path), default=Path("cluster"), show_default=True)


@click.group()
def main() -> None:
    """A private PostgreSQL, a private RabbitMQ, the scheduler and the pools, each as a process."""


@main.command("up")
@folder_option
@click.option(
    "--backlog",
    type=click.IntRange(0, 1_000_000),
    default=20_000,
    show_default=True,
    help="Due invoices to begin with.",
)
def up(folder: Path, backlog: int) -> None:
    """Start a cluster in FOLDER and show its progress until Ctrl-C; the folder keeps its state."""
    console = Console(highlight=False)
    console.print(f"starting PostgreSQL, RabbitMQ and the processes in {folder}/ (about ten seconds)")
    with LocalCluster(folder) as cluster:
        _write_environment(folder, cluster)
        store = Store(make_engine(cluster.database_url))
        with store.transaction() as tx:
            fresh = not tx.scalar("SELECT EXISTS (SELECT 1 FROM agencies)")
        if fresh and backlog:
            seed.seed(cluster.database_url, backlog)
        console.print(f"logs in {folder}/logs, mails in {folder}/mails; for operators' commands: source {folder}/env")
        console.print("in another terminal: make scale POOL=charges TO=3", style="bold")
        try:
            _watch(cluster, store, folder, console)
        finally:
            store.engine.dispose()
            console.print("ending the processes, then the servers")


@main.command("scale")
@folder_option
@click.argument("pool", type=click.Choice(KINDS))
@click.argument("to", type=click.IntRange(0, 32))
def scale(folder: Path, pool: str, to: int) -> None:
    """Scale POOL of the running cluster in FOLDER to TO processes."""
    if not (folder / "env").exists():
        raise click.ClickException(f"no cluster runs in {folder}/; start one: make cluster")
    wanted = folder / "scale"
    wanted.mkdir(exist_ok=True)
    (wanted / pool).write_text(str(to))
    click.echo(f"{pool}: {to}")


def _watch(cluster: LocalCluster, store: Store, folder: Path, console: Console) -> None:
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    picture = Picture(store, load(cluster.environ), None)
    with Live(console=console, auto_refresh=False) as live:
        while not stop.wait(LOOK_SECONDS):
            cluster.members.look_after()
            for wrong in scaled(cluster.members, folder / "scale"):
                console.print(wrong)
            live.update(picture.now(), refresh=True)


def scaled(members: Members, wishes: Path) -> list[str]:
    """Give each pool the processes that a file of its name asks for. Returns what could not be read; the cluster goes on."""
    wrong = []
    for file in sorted(path for path in wishes.glob("*") if path.is_file()):
        try:
            members.scale(file.name, int(file.read_text()))
        except (ValueError, OSError) as error:
            wrong.append(f"{file}: {error}; write it by: make scale POOL=charges TO=3")
        file.unlink(missing_ok=True)
    return wrong


def _write_environment(folder: Path, cluster: LocalCluster) -> None:
    lines = [f"export {name}='{value}'\n" for name, value in cluster.environ.items()]
    lines.append(f"export PATH='{Path(sys.executable).parent}':\"$PATH\"\n")  # so that `duecycle` is found
    api = cluster.rabbitmq.management
    lines.append(f"# RabbitMQ's pages: {api.removesuffix('/api')}, as {MONITORING} with the password {MONITORING}\n")
    path = folder / "env"
    path.touch(mode=0o600)
    path.write_text("".join(lines))


if __name__ == "__main__":
    main()
