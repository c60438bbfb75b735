"""Metrics of several processes of one pool that share a port: each writes its own files, whoever is asked adds them up."""

import os
import shutil
import tempfile
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
NAME = "duecycle-metrics"


def prepare(pool: str) -> Path:
    """Give the processes that are about to start an empty folder for their figures, one for each pool and master.

    Must come before a process creates its metrics: the library reads the variable once, at its import. A folder of an
    earlier run would add its figures to ours. Folders of masters that have ended are removed here: a master becomes
    dramatiq's own program, which knows nothing of them.
    """
    place = Path(tempfile.gettempdir())
    for earlier in place.glob(f"{NAME}-*-*"):
        if not _runs(earlier.name.rpartition("-")[2]):
            shutil.rmtree(earlier, ignore_errors=True)
    folder = place / f"{NAME}-{pool}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.environ[VARIABLE] = str(folder)
    return folder


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True  # not ours to judge
    return True


def shared() -> bool:
    """Whether several processes share their figures here."""
    return bool(os.environ.get(VARIABLE))


def render() -> bytes:
    """The figures in Prometheus' text format: of this process, or of all that share a folder with it."""
    if not shared():
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
