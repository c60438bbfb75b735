"""Every outcome that a gateway can have is counted under a name of its own."""

from typing import get_args

from shared.gateways import port
from workers.charges.charge_invoices import OUTCOMES


def test_every_outcome_has_its_name() -> None:
    assert set(OUTCOMES) == set(get_args(port.Found))
    assert len(set(OUTCOMES.values())) == len(OUTCOMES)
