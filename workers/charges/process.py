"""The process of the charges pool."""

from functools import partial

from shared.broker.actors import declare
from shared.secret_store import reader
from shared.telemetry import metrics
from workers.boot import WorkerProcess, begin
from workers.charges.bulkhead import Bulkhead
from workers.charges.charge_invoices import Runtime, charge_invoices
from workers.gateway_accounts import GatewayRegistry, sandbox_of


def prepare(process: WorkerProcess) -> None:
    """Wire the pool on its process, with the sandbox and the agencies' own accounts."""
    gateways = GatewayRegistry(reader(), sandbox_of(process.store))

    def count(provider: str, outcome: str) -> None:
        metrics.CHARGE_OUTCOMES.labels(provider, outcome).inc()

    runtime = Runtime(
        store=process.store,
        gateways=gateways,
        lease=process.settings.lease,
        on_outcome=count,
        bulkhead=Bulkhead(process.settings.threads),
        on_put_back=metrics.CHARGES_PUT_BACK.inc,
    )
    declare(process.broker, "charges", partial(charge_invoices, runtime))


def boot() -> None:
    """For dramatiq's own command line: `dramatiq workers.charges.process:boot`."""
    begin("charges", prepare)
