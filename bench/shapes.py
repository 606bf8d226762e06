"""Load of unusual shape: one hot participant, one hot wallet beside others, and a database that is full."""

import secrets
from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.domain.names import EntryType
from app.flows import fund, manage_assets, manage_programs
from app.flows import rules as rule_flow
from app.flows.move_value import Call
from app.flows.rules import RuleDraft
from bench import measures
from bench.measures import Figures, Stage
from bench.workload import rules

# Ids of copies: the first 48 bits count milliseconds, so each round of copies lies in a past of its own.
_SHIFTED = (
    "(lpad(to_hex(('x' || left(replace({0}::text, '-', ''), 12))::bit(48)::bigint - %(ms)s), 12, '0')"
    " || right(replace({0}::text, '-', ''), 20))::uuid"
)
_COPY = {
    "events": """
        INSERT INTO events (organization_id, seq, id, program_id, event_type, participant_id, external_id,
            idempotency_key, event_timestamp, created_at, event_data, partition)
        SELECT organization_id, seq + %(shift)s, gen_random_uuid(), program_id, event_type, participant_id,
            external_id, idempotency_key || '-' || %(round)s, event_timestamp, created_at, event_data,
            partition
        FROM events WHERE seq BETWEEN %(first)s AND %(last)s ORDER BY seq""",
    "decisions": """
        INSERT INTO decisions (organization_id, event_seq, commit_order, decided_at, status, ruleset_version,
            evaluations, inputs)
        SELECT organization_id, event_seq + %(shift)s, commit_order + %(shift)s, decided_at, status,
            ruleset_version, evaluations, inputs
        FROM decisions WHERE event_seq BETWEEN %(first)s AND %(last)s ORDER BY event_seq""",
    "journal_entries": f"""
        INSERT INTO journal_entries (organization_id, id, program_id, asset_id, action_type, event_seq,
            rule_id, created_at)
        SELECT organization_id, {_SHIFTED.format('id')}, program_id, asset_id, action_type,
            event_seq + %(shift)s, rule_id, created_at
        FROM journal_entries WHERE event_seq BETWEEN %(first)s AND %(last)s ORDER BY id""",
    "postings": f"""
        INSERT INTO postings (organization_id, entry_id, line, account_id, bucket, amount)
        SELECT p.organization_id, {_SHIFTED.format('p.entry_id')}, p.line, p.account_id, p.bucket, p.amount
        FROM postings p JOIN journal_entries j ON j.organization_id = p.organization_id AND j.id = p.entry_id
        WHERE j.event_seq BETWEEN %(first)s AND %(last)s ORDER BY p.entry_id, p.line""",
    "state_history": f"""
        INSERT INTO state_history (organization_id, owner_id, id, changed_at, event_seq, program_id, changes)
        SELECT organization_id, owner_id, {_SHIFTED.format('id')}, changed_at, event_seq + %(shift)s,
            program_id, changes
        FROM state_history WHERE event_seq BETWEEN %(first)s AND %(last)s ORDER BY owner_id, id""",
    "outbox": f"""
        INSERT INTO outbox (organization_id, id, type, created_at, participant_id, data)
        SELECT organization_id, {_SHIFTED.format('id')}, type, created_at, participant_id, data
        FROM outbox WHERE id BETWEEN %(outbox_first)s AND %(outbox_last)s ORDER BY id""",
}


def hot_participant(stage: Stage, events: int) -> Figures:
    """All events on one participant: they run one after another, in batches."""
    measures.accept_batches(stage, events, people=1)
    found = measures.drain(stage)
    stored = stage.one(
        "SELECT sum(o.amount) FROM events e JOIN journal_entries j ON j.organization_id = e.organization_id"
        " AND j.event_seq = e.seq JOIN postings o ON o.organization_id = j.organization_id"
        " AND o.entry_id = j.id WHERE e.external_id = %s AND o.account_id > 0", f"{stage.work.prefix}1",
    )
    balance = stage.one(
        "SELECT a.available FROM accounts a JOIN participants p ON p.organization_id = a.organization_id"
        " AND p.id = a.owner_id WHERE p.external_id = %s", f"{stage.work.prefix}1",
    )
    return {**found, "exact": stored == balance}


def hot_wallet(stage: Stage, events: int) -> Figures:
    """A program whose every credit draws from one wallet, alone, and beside the usual program.

    `others_ratio` is what the usual program keeps of its speed while as many events of the hot one wait.
    """
    wallet = _wallet_program(stage)
    measures.accept_batches(stage, events, wallet)
    alone = measures.drain(stage)
    measures.accept_batches(stage, events)
    others = measures.drain(stage)
    measures.accept_batches(stage, events // 2, wallet)
    measures.accept_batches(stage, events // 2)
    mixed = measures.drain(stage)
    fair = 2 / (1 / alone["events_per_second"] + 1 / others["events_per_second"])
    return {
        "events_per_second": alone["events_per_second"],
        "mixed_events_per_second": mixed["events_per_second"],
        "mixed_to_fair_share": round(mixed["events_per_second"] / fair, 2),
    }


def _wallet_program(stage: Stage) -> Any:
    """A program like the usual one, with an asset that is drawn from a funded wallet."""
    work, tag = stage.work, secrets.token_hex(3)
    program = manage_programs.create(
        work.organization_id, name=f"Wallet {tag}", description=None, on_unknown_participant="CREATE",
        reversal_grace="720h",
    )
    asset = manage_assets.create(
        work.organization_id, program["id"], name="Vouchers", symbol=f"VOUCH{tag}", inventory_mode="SIMPLE",
        issuance_policy="PREFUNDED", scale=2, max_transaction_amount=None,
    )
    fund.change_wallet(
        Call(work.organization_id, None, program["id"], asset["id"]), EntryType.FUND, Decimal(10**12), None,
        None, b"",
    )
    for name, condition, actions in rules(asset["id"]):
        rule_flow.create(work.organization_id, None, RuleDraft(program["id"], name, condition, actions))
    return replace(work, program_id=program["id"], asset_id=asset["id"])


def fill(stage: Stage, first: int, last: int, events: int) -> int:
    """Copy the events `first` to `last` with all that was decided about them until so many are stored.

    Copies lie in the past of the originals; balances grow with them, so the ledger stays exact.
    """
    size = last - first + 1
    rounds = max(1, events // size)
    outbox = stage.owner.execute(
        "SELECT min(id::text)::uuid AS first, max(id::text)::uuid AS last FROM outbox WHERE created_at"
        " BETWEEN (SELECT min(decided_at) FROM decisions WHERE event_seq BETWEEN %(f)s AND %(l)s)"
        " AND (SELECT max(decided_at) FROM decisions WHERE event_seq BETWEEN %(f)s AND %(l)s)",
        {"f": first, "l": last},
    ).fetchone()
    assert outbox is not None
    start = stage.last_seq() + 1
    for number in range(rounds):
        values = {
            "first": first, "last": last, "round": number, "shift": start - first + number * size,
            "ms": (rounds - number) * 600_000, "outbox_first": outbox["first"], "outbox_last": outbox["last"],
        }
        with stage.owner.transaction():
            for statement in _COPY.values():
                stage.owner.execute(statement, values)
    stage.owner.execute("SELECT setval('event_seq', %s)", (start + rounds * size,))
    stage.owner.execute(
        "UPDATE accounts a SET available = a.available + %s * g.amount FROM ("
        " SELECT p.organization_id, p.account_id, sum(p.amount) AS amount FROM postings p"
        " JOIN journal_entries j ON j.organization_id = p.organization_id AND j.id = p.entry_id"
        " WHERE j.event_seq BETWEEN %s AND %s AND p.account_id > 0 GROUP BY 1, 2) g"
        " WHERE a.organization_id = g.organization_id AND a.id = g.account_id", (rounds, first, last),
    )
    stage.owner.execute("VACUUM ANALYZE")
    stage.owner.execute("CHECKPOINT")
    return rounds * size


