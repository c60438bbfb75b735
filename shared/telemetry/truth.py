"""What is true of the whole cluster, as gauges: set by the process that counts it in SQL, and marked as stale when that
fails."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Sample(NamedTuple):
    """One value of one metric."""

    metric: str
    labels: tuple[str, ...]
    value: float


class Described(NamedTuple):
    """A metric: its help text and the names of its labels."""

    help: str
    labels: tuple[str, ...] = ()


class Truth(Collector):
    """Exports the samples that `read` returns at each scrape; `described` says what each metric means."""

    def __init__(self, described: Mapping[str, Described], read: Callable[[], Iterable[Sample]]) -> None:
        self._described, self._read = described, read

    def register(self) -> None:
        """Export with everything else of this process."""
        REGISTRY.register(self)

    def describe(self) -> Iterator[Metric]:
        """The metrics without values: registering must not count anything."""
        for name, each in self._described.items():
            yield GaugeMetricFamily(name, each.help, labels=each.labels)

    def collect(self) -> Iterator[Metric]:
        """The metrics with their values."""
        families = {
            name: GaugeMetricFamily(name, each.help, labels=each.labels) for name, each in self._described.items()
        }
        for sample in self._read():
            families[sample.metric].add_metric(sample.labels, sample.value)
        yield from families.values()
