"""Change messages for races: bytes, so that any session can be the one that receives them."""

import json
from datetime import datetime
from itertools import count
from typing import Any

from tests.journeys.portal import DEFAULTS

_numbers = count(1)


def message(name: str, at: str | datetime, **data: Any) -> bytes:
    """A `duecycle.<name>.v1` of agency `ag`, true since `at`; what it leaves out is what the portal says by default."""
    moment = at.isoformat() if isinstance(at, datetime) else at
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"race-{next(_numbers)}",
            "source": "/race",
            "type": f"duecycle.{name}.v1",
            "time": moment,
            "data": {"agency_id": "ag", **DEFAULTS.get(name, {}), **data},
        }
    ).encode()
