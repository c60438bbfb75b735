"""The floor: one hand-written statement per 1,000 cycles that reads what is due and writes every row in its final state.

Nothing decides anything here, nothing is locked against a change of facts, no cycle is ever due, waiting or dispatched: what is
left is what PostgreSQL needs to write the rows. Each session processes agencies of its own, so number series never wait.
"""

import threading
import time

from ops.bench.seed import connect

SESSIONS = 2
CYCLES_PER_COMMIT = 1000

_STATEMENT = """
WITH due AS MATERIALIZED (
  SELECT subscription_id, anchor_on, every, next_index, next_at FROM schedules
  WHERE agency_id = %(agency)s AND subscription_id > %(after)s AND stream = 'invoice' AND next_at <= now()
  ORDER BY subscription_id LIMIT %(limit)s FOR NO KEY UPDATE
), taken AS (
  INSERT INTO number_series AS n (agency_id, kind, next_sequence, last_issued_on)
  SELECT a.agency_id, 'invoice', 1 + (SELECT count(*) FROM due), (now() AT TIME ZONE a.timezone)::date
  FROM agencies AS a WHERE a.agency_id = %(agency)s
  ON CONFLICT (agency_id, kind) DO UPDATE SET next_sequence = n.next_sequence + excluded.next_sequence - 1,
    last_issued_on = greatest(n.last_issued_on, excluded.last_issued_on)
  RETURNING next_sequence - (SELECT count(*) FROM due) AS first, last_issued_on AS issued_on
), bill AS MATERIALIZED (
  SELECT a.agency_id, d.subscription_id, s.client_id, s.collection, d.next_index, d.next_at,
         'inv:' || d.subscription_id || ':' || p.starts_on AS invoice_id,
         t.first + row_number() OVER (ORDER BY d.subscription_id) - 1 AS sequence,
         p.starts_on, p.ends_on, t.issued_on, t.issued_on + a.payment_terms_days AS due_on,
         v.name, v.price_minor, v.currency, v.tax_name, v.tax_rate, r.quantity, v.price_minor * r.quantity AS net,
         round(v.price_minor * r.quantity * v.tax_rate::numeric / 100)::bigint AS tax, a.invoice_prefix, a.timezone,
         jsonb_build_object(
           'agency', jsonb_build_object('name', a.name, 'address', a.address, 'tax_id', a.tax_id, 'email', a.email,
                                        'timezone', a.timezone, 'locale', a.locale),
           'client', jsonb_build_object('client_id', c.client_id, 'name', c.name, 'email', c.email, 'locale', c.locale,
                                        'address', c.address, 'tax_id', c.tax_id),
           'service', jsonb_build_object('service_id', v.service_id, 'revision', v.revision, 'name', v.name,
                                         'quantity', r.quantity, 'tax_name', v.tax_name, 'tax_rate', v.tax_rate,
                                         'tax_inclusive', v.tax_inclusive)) AS snapshot
  FROM due AS d
  CROSS JOIN taken AS t
  JOIN agencies AS a ON a.agency_id = %(agency)s
  JOIN subscriptions AS s ON s.agency_id = %(agency)s AND s.subscription_id = d.subscription_id
  JOIN subscription_revisions AS r ON r.agency_id = %(agency)s AND r.subscription_id = d.subscription_id
  JOIN clients AS c ON c.agency_id = %(agency)s AND c.client_id = s.client_id
  JOIN service_revisions AS v ON v.agency_id = %(agency)s AND v.service_id = r.service_id
  CROSS JOIN LATERAL (
    SELECT (d.anchor_on + make_interval(months => d.every * d.next_index))::date AS starts_on,
           (d.anchor_on + make_interval(months => d.every * (d.next_index + 1)))::date AS ends_on) AS p
), cycle AS (
  INSERT INTO cycles (agency_id, subscription_id, stream, starts_on, ends_on, cycle_index, due_at, state, settled_at)
  SELECT agency_id, subscription_id, 'invoice', starts_on, ends_on, next_index, next_at, 'done', now() FROM bill
), invoice AS (
  INSERT INTO invoices (agency_id, invoice_id, subscription_id, client_id, cycle_starts_on, cycle_ends_on, cycle_index,
    sequence, number, status, collection, origin, issued_on, issued_at, due_on, currency, subtotal_minor, tax_minor,
    total_minor, taxes, snapshot)
  SELECT agency_id, invoice_id, subscription_id, client_id, starts_on, ends_on, next_index, sequence,
         invoice_prefix || lpad(sequence::text, 5, '0'), 'open', collection, 'automatic', issued_on, now(), due_on,
         currency, net, tax, net + tax,
         jsonb_build_array(jsonb_build_object('name', tax_name, 'rate', tax_rate, 'net_minor', net, 'tax_minor', tax)),
         snapshot
  FROM bill
), line AS (
  INSERT INTO invoice_lines (agency_id, invoice_id, line_no, description, quantity, unit_price_minor, net_minor, tax_name,
    tax_rate)
  SELECT agency_id, invoice_id, 1, name || ', ' || starts_on || ' – ' || ends_on - 1, quantity, price_minor, net,
         tax_name, tax_rate
  FROM bill
), charge AS (
  INSERT INTO charges (agency_id, invoice_id, attempt, subscription_id, client_id, currency, planned_at, state, wake_at)
  SELECT agency_id, invoice_id, 1, subscription_id, client_id, currency, now(), 'due', now() FROM bill
), event AS (
  INSERT INTO events (agency_id, type, subject, subject_seq, at, data)
  SELECT agency_id, 'invoice.issued', 'subscription/' || subscription_id,
         1 + coalesce((SELECT max(e.subject_seq) FROM events AS e WHERE e.agency_id = bill.agency_id
                       AND e.subject = 'subscription/' || bill.subscription_id), 0),
         now(),
         jsonb_build_object('agency_id', agency_id, 'invoice_id', invoice_id,
           'number', invoice_prefix || lpad(sequence::text, 5, '0'), 'subscription_id', subscription_id,
           'client_id', client_id, 'period_index', next_index, 'period_starts_on', starts_on, 'period_ends_on', ends_on,
           'issued_on', issued_on, 'due_on', due_on, 'currency', currency, 'subtotal_minor', net, 'tax_minor', tax,
           'total_minor', net + tax, 'lines', jsonb_build_array(jsonb_build_object(
             'description', name || ', ' || starts_on || ' – ' || ends_on - 1, 'quantity', quantity,
             'unit_price_minor', price_minor, 'net_minor', net, 'tax_name', tax_name, 'tax_rate', tax_rate)),
           'taxes', jsonb_build_array(jsonb_build_object('tax_name', tax_name, 'tax_rate', tax_rate, 'net_minor', net,
             'tax_minor', tax)), 'collection', collection, 'origin', 'automatic')
  FROM bill
), moved AS (
  UPDATE schedules AS c SET next_index = c.next_index + 1, next_at = b.ends_on::timestamp AT TIME ZONE b.timezone,
         planned_until = b.ends_on
  FROM bill AS b
  WHERE c.agency_id = b.agency_id AND c.subscription_id = b.subscription_id AND c.stream = 'invoice'
)
SELECT max(subscription_id), count(*) FROM bill"""


def run(url: str) -> float:
    """Issue everything that is due. Returns the seconds it took."""
    with connect(url) as session:
        agencies = [row[0] for row in session.execute("SELECT agency_id FROM agencies ORDER BY 1")]
    failures: list[BaseException] = []
    ready = threading.Barrier(SESSIONS + 1)
    threads = [
        threading.Thread(target=_session, args=(url, agencies[at::SESSIONS], ready, failures)) for at in range(SESSIONS)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - began


def _session(url: str, agencies: list[str], ready: threading.Barrier, failures: list[BaseException]) -> None:
    with connect(url) as session:
        ready.wait()
        try:
            for agency in agencies:
                after: str | None = ""
                while after is not None:
                    values = {"agency": agency, "after": after, "limit": CYCLES_PER_COMMIT}
                    row = session.execute(_STATEMENT, values, prepare=True).fetchone()
                    after = row[0] if row else None
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            failures.append(error)
