"""The undisturbed run of `chaos`: the events that were accepted, in the order of their commits.

It runs in this process on a database of its own, through the same flows, with nobody else about.
"""

import os
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg

from app import db
from app.cli import chaos_traffic, procfile
from app.cli.chaos_verdict import rows
from app.cli.datafolder import ROOT
from app.cli.failure import Failure
from app.domain.events import Submission
from app.domain.ids import PARTITIONS
from app.flows import drain, ingest, manage_assets, manage_programs
from app.flows import rules as rule_flow
from app.flows.api_keys import new_key
from app.flows.rules import RuleDraft
from app.settings import settings

NAME = "florin_reference"
BATCH = 100

_ACCEPTED = """
SELECT e.external_id, e.idempotency_key, e.event_timestamp, e.event_data
FROM events e JOIN decisions d ON d.organization_id = e.organization_id AND d.event_seq = e.seq
WHERE e.idempotency_key LIKE 'chaos-%' ORDER BY d.commit_order
"""


def run(values: Mapping[str, str]) -> str:
    """Replay the accepted events of the system that `values` name; return the address of the outcome."""
    owner = values["MIGRATION_DATABASE_URL"]
    with psycopg.connect(owner, autocommit=True) as c:
        c.execute(f"CREATE DATABASE {NAME}")
    own = {name: urlunsplit(urlsplit(values[name])._replace(path=f"/{NAME}"))
           for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL")}
    environ = {**values, **own, "BOOTSTRAP_API_KEY": new_key()}
    done = subprocess.run(
        procfile.argv(procfile.commands()[procfile.RELEASE]), cwd=ROOT,
        env=procfile.environment(environ), capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        raise Failure(f"The reference database could not be made.\n{done.stderr.strip()[-1000:]}")
    os.environ.update(environ)
    forget()
    _replay(owner)
    forget()
    return own["MIGRATION_DATABASE_URL"]


def forget() -> None:
    """Let this process read its settings anew, and leave no connection open."""
    if db.engine.cache_info().currsize:
        db.engine().dispose()
    settings.cache_clear()
    db.engine.cache_clear()


def _replay(source: str) -> None:
    with db.connection() as c:
        row = c.execute("SELECT id FROM organizations").fetchone()
        assert row is not None
        organization_id: UUID = row["id"]
    program_id = _program(organization_id)
    accepted = [
        Submission(
            program_id, row["idempotency_key"], row["event_timestamp"], row["event_data"],
            external_id=row["external_id"],
        )
        for row in rows(source, _ACCEPTED)
    ]
    for start in range(0, len(accepted), BATCH):
        ingest.accept(organization_id, accepted[start : start + BATCH])
    drain.exhaust(range(PARTITIONS))


def _program(organization_id: UUID) -> UUID:
    program = manage_programs.create(
        organization_id, name="Chaos", description=None, on_unknown_participant="CREATE",
        reversal_grace="720h",
    )
    asset = manage_assets.create(
        organization_id, program["id"], name="Coins", symbol="COIN", inventory_mode="SIMPLE",
        issuance_policy="UNLIMITED", scale=2, max_transaction_amount=None,
    )
    for name, condition, actions in chaos_traffic.rules(str(asset["id"])):
        rule_flow.create(organization_id, None, RuleDraft(program["id"], name, condition, actions))
    found: UUID = program["id"]
    return found
