"""The SQL of forgetting a participant (decision B5): texts and payloads go, amounts and ids stay.

At once: profile and state. Afterwards, in bounded steps that remember how far they came: everything that was
ever written about the person. Each step returns the cursor to go on from, None at its end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.ids import partition_of

STEP_ROWS_MAX = 1000
SCAN_ROWS_MAX = 20_000  # Rows looked at in a step where no index tells which ones concern the person.
NOWHERE = UUID(int=0)

_PROFILE = """
UPDATE participants SET external_id = %(pseudonym)s, status = 'CLOSED', email = NULL, phone = NULL,
    first_name = NULL, last_name = NULL, display_name = NULL, erased_at = %(now)s, updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
_STATE = """
UPDATE owners SET tags = '{}', attributes = '{}' WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
# Whoever is forgotten is in no broadcast and no automation any more.
_ENROLLMENTS = """
UPDATE enrollments SET status = 'CLOSED', updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND participant_id = %(id)s AND status <> 'CLOSED'
"""
_EVENTS = """
WITH batch AS (
    SELECT seq FROM events
    WHERE organization_id = %(organization_id)s AND partition = %(partition)s AND seq > %(after)s
        AND participant_id = %(id)s
    ORDER BY seq LIMIT %(rows)s
), cleaned AS (
    UPDATE events e SET event_data = '{}',
        external_id = CASE WHEN e.external_id IS NOT NULL THEN %(pseudonym)s END
    FROM batch WHERE e.organization_id = %(organization_id)s AND e.seq = batch.seq
), decided AS (
    UPDATE decisions d SET inputs = NULL, evaluations = NULL,
        error_message = CASE WHEN d.error_message IS NOT NULL THEN 'erased' END
    FROM batch WHERE d.organization_id = %(organization_id)s AND d.event_seq = batch.seq
)
SELECT max(seq) AS last FROM batch
"""
_RECIPIENT = """
WITH scanned AS (
    SELECT seq, recipient_id FROM events
    WHERE organization_id = %(organization_id)s AND seq > %(after)s ORDER BY seq LIMIT %(scan)s
), batch AS (
    SELECT seq FROM scanned WHERE recipient_id = %(id)s
), cleaned AS (
    UPDATE events e SET recipient_external_id = %(pseudonym)s
    FROM batch WHERE e.organization_id = %(organization_id)s AND e.seq = batch.seq
        AND e.recipient_external_id IS NOT NULL
), decided AS (
    UPDATE decisions d SET inputs = NULL, evaluations = NULL
    FROM batch WHERE d.organization_id = %(organization_id)s AND d.event_seq = batch.seq
)
SELECT max(seq) AS last FROM scanned
"""
# Tags and attributes lose key and values; counters and tiers are amounts and levels, and stay.
_HISTORY = """
WITH batch AS (
    SELECT id FROM state_history
    WHERE organization_id = %(organization_id)s AND owner_id = %(id)s AND id > %(after)s
    ORDER BY id LIMIT %(rows)s
), cleaned AS (
    UPDATE state_history h SET changes = (
        SELECT jsonb_agg(CASE WHEN x.change ->> 0 IN ('tag', 'attribute')
            THEN jsonb_build_array(x.change -> 0, 'erased', x.change -> 2, NULL, NULL, x.change -> 5)
            ELSE x.change END ORDER BY x.place)
        FROM jsonb_array_elements(h.changes) WITH ORDINALITY AS x(change, place))
    FROM batch
    WHERE h.organization_id = %(organization_id)s AND h.owner_id = %(id)s AND h.id = batch.id
)
SELECT max(id::text)::uuid AS last FROM batch
"""
# Without text and salt nobody can try out what the kept hash was made from; the chain holds the hash.
_TEXTS = """
WITH batch AS (
    SELECT DISTINCT p.entry_id FROM postings p
    WHERE p.organization_id = %(organization_id)s AND p.account_id > 0 AND p.entry_id > %(after)s
        AND p.account_id IN (SELECT id FROM accounts
            WHERE organization_id = %(organization_id)s AND owner_id = %(id)s)
    ORDER BY p.entry_id LIMIT %(rows)s
), cleaned AS (
    UPDATE journal_texts t SET description = NULL, reference_id = NULL, salt = ''
    FROM batch WHERE t.organization_id = %(organization_id)s AND t.entry_id = batch.entry_id
)
SELECT max(entry_id::text)::uuid AS last FROM batch
"""
_REFERENCES = (
    """
UPDATE lots SET reference_id = NULL
WHERE organization_id = %(organization_id)s AND reference_id IS NOT NULL AND account_id IN (
    SELECT id FROM accounts WHERE organization_id = %(organization_id)s AND owner_id = %(id)s)
""",
    """
UPDATE redemption_reversals r SET reason = 'erased' FROM redemptions d
WHERE d.organization_id = %(organization_id)s AND d.participant_id = %(id)s
    AND r.organization_id = d.organization_id AND r.redemption_id = d.id
""",
    """
UPDATE redemptions SET description = NULL
WHERE organization_id = %(organization_id)s AND participant_id = %(id)s
""",
    """
UPDATE firings SET payload = '{}' WHERE organization_id = %(organization_id)s AND participant_id = %(id)s
""",
    """
UPDATE idempotency_keys SET response = '{"erased": true}'
WHERE organization_id = %(organization_id)s AND participant_id = %(id)s
""",
)
_MESSAGES = """
WITH scanned AS (
    SELECT id, participant_id FROM outbox
    WHERE organization_id = %(organization_id)s AND id > %(after)s ORDER BY id LIMIT %(scan)s
), batch AS (
    SELECT id FROM scanned WHERE participant_id = %(id)s
), cleaned AS (
    UPDATE outbox o SET data = jsonb_build_object('participant_id', %(id)s::uuid, 'erased', true)
    FROM batch WHERE o.organization_id = %(organization_id)s AND o.id = batch.id
), delivered AS (
    UPDATE webhook_deliveries w SET last_response_body = NULL
    FROM batch WHERE w.organization_id = %(organization_id)s AND w.webhook_event_id = batch.id
)
SELECT max(id::text)::uuid AS last FROM scanned
"""
_LOGS = """
WITH scanned AS (
    SELECT id, path, request_body, response_body FROM request_logs
    WHERE organization_id = %(organization_id)s AND id > %(after)s ORDER BY id LIMIT %(rows)s
), batch AS (
    SELECT id FROM scanned
    WHERE path LIKE %(id_pattern)s OR request_body::text LIKE %(id_pattern)s
        OR response_body::text LIKE %(id_pattern)s OR request_body::text LIKE %(external_pattern)s
        OR response_body::text LIKE %(external_pattern)s OR path LIKE %(external_pattern)s
), cleaned AS (
    UPDATE request_logs l SET request_body = NULL, response_body = NULL, ip_address = NULL, user_agent = NULL,
        path = replace(l.path, %(external_id)s, %(pseudonym)s)
    FROM batch WHERE l.organization_id = %(organization_id)s AND l.id = batch.id
)
SELECT max(id::text)::uuid AS last FROM scanned
"""


@dataclass(frozen=True, slots=True)
class Erased:
    """Who is being forgotten, under which name they were known, and under which they stand now."""

    organization_id: UUID
    id: UUID
    external_id: str
    pseudonym: str


def profile(c: Connection, erased: Erased, now: datetime) -> None:
    """Blank out the profile and the state, and close the participant with its enrollments."""
    values = {
        "organization_id": erased.organization_id, "id": erased.id, "pseudonym": erased.pseudonym, "now": now,
    }
    c.execute(_PROFILE, values)
    c.execute(_STATE, values)
    c.execute(_ENROLLMENTS, values)


def _stepped(sql: str, start: Any, *, step: type) -> Callable[[Connection, Erased, str | None], str | None]:
    def run(c: Connection, erased: Erased, after: str | None) -> str | None:
        row = c.execute(sql, {
            "organization_id": erased.organization_id, "id": erased.id, "pseudonym": erased.pseudonym,
            "external_id": erased.external_id, "partition": partition_of(erased.id),
            "after": start if after is None else step(after), "rows": STEP_ROWS_MAX, "scan": SCAN_ROWS_MAX,
            "id_pattern": f"%{erased.id}%", "external_pattern": _within(erased.external_id),
        }).fetchone()
        assert row is not None
        return None if row["last"] is None else str(row["last"])

    return run


def _within(external_id: str) -> str:
    return "%" + external_id.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _state(c: Connection, erased: Erased, after: str | None) -> str | None:
    """Blank out the state once more: events that waited may have written to it since."""
    c.execute(_STATE, {"organization_id": erased.organization_id, "id": erased.id})
    return None


def _references(c: Connection, erased: Erased, after: str | None) -> str | None:
    for sql in _REFERENCES:
        c.execute(sql, {
            "organization_id": erased.organization_id, "id": erased.id, "external_id": erased.external_id,
        })
    return None


STAGES: dict[str, Callable[[Connection, Erased, str | None], str | None]] = {
    "events": _stepped(_EVENTS, 0, step=int),
    "state": _state,
    "history": _stepped(_HISTORY, NOWHERE, step=UUID),
    "texts": _stepped(_TEXTS, NOWHERE, step=UUID),
    "references": _references,
    "messages": _stepped(_MESSAGES, NOWHERE, step=UUID),
    "logs": _stepped(_LOGS, NOWHERE, step=UUID),
    "recipient": _stepped(_RECIPIENT, 0, step=int),
}
