"""What a run left behind: rows per table, and one figure over their content that any way of writing must reach."""

from collections.abc import Mapping

from ops.bench.seed import connect

_TABLES = {
    "cycles done": "cycles WHERE state = 'done'",
    "invoices": "invoices",
    "invoice_lines": "invoice_lines",
    "charges": "charges",
    "events": "events",
    "numbers taken": "number_series AS s CROSS JOIN generate_series(2, s.next_sequence)",
    "schedules moved": "schedules WHERE next_at > now()",
}

# Without what may differ: numbers within an agency follow the order of work, and instants the clock.
_CONTENT = """
SELECT md5(coalesce(string_agg(each, E'\\n' ORDER BY each), '')) FROM (
  SELECT concat_ws('|', 'cycle', agency_id, subscription_id, stream, starts_on, ends_on, cycle_index, due_at, state, wake_at)
         AS each FROM cycles
  UNION ALL SELECT concat_ws('|', 'invoice', agency_id, invoice_id, subscription_id, client_id, cycle_starts_on,
    cycle_ends_on, cycle_index, status, collection, origin, issued_on, due_on, currency, subtotal_minor, tax_minor,
    total_minor, taxes, snapshot) FROM invoices
  UNION ALL SELECT concat_ws('|', 'numbers', agency_id, min(sequence), max(sequence), count(DISTINCT number)) FROM invoices
    GROUP BY agency_id
  UNION ALL SELECT concat_ws('|', 'line', l::text) FROM invoice_lines AS l
  UNION ALL SELECT concat_ws('|', 'charge', agency_id, invoice_id, attempt, subscription_id, client_id, state, currency)
    FROM charges
  UNION ALL SELECT concat_ws('|', 'event', agency_id, type, subject, subject_seq, data - 'number') FROM events
  UNION ALL SELECT concat_ws('|', 'schedule', agency_id, subscription_id, stream, next_index, next_at, planned_until,
    stopped_reason) FROM schedules
  UNION ALL SELECT concat_ws('|', 'series', s::text) FROM number_series AS s
) AS every"""


def counts(url: str) -> Mapping[str, int]:
    """Rows by table, of those that issuing an invoice writes; of the number series, how many numbers it gave."""
    with connect(url) as session:
        found = {}
        for name, source in _TABLES.items():
            row = session.execute(f"SELECT count(*) FROM {source}").fetchone()  # noqa: S608
            found[name] = int(row[0]) if row else 0
        return found


def content(url: str) -> str:
    """A digest of everything written, apart from instants and from the order of numbers within an agency."""
    with connect(url) as session:
        row = session.execute(_CONTENT).fetchone()
        return str(row[0]) if row else ""
