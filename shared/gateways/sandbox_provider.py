"""What is particular to the sandbox, which declines with whatever word its script names."""

from typing import Final

from shared.domain.declines import RETRYABLE, Codes, Meaning, table
from shared.gateways.capabilities import Provider

SANDBOX: Final = Provider(
    name="sandbox",
    title="sandbox",
    codes=Codes(
        declines=table(
            retryable="insufficient_funds processing_error",
            final="lost_card stolen_card",
            customer="expired_card",
        ),
        unlisted=Meaning(RETRYABLE, known=False),
    ),
    is_simulated=True,
)
