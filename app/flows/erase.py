"""Forgetting a participant: the person at once, all traces within the next minutes (decision B5).

The traces are removed by a lane, step by step, because nobody's history has a bound. The work starts a few
seconds later, so that request logs and events under way are written by then.
"""

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.errors import NotFound
from app.flows.lanes import NOTHING, Turn
from app.flows.locks import lock_owners
from app.store import due_work, erasures, participants
from app.store.erasures import STAGES, Erased

KIND = "erasure"
DELAY = timedelta(seconds=3)
_FOLLOWING = dict(pairwise(STAGES))


def erase(organization_id: UUID, participant_id: UUID) -> None:
    """Forget a participant; asked again it goes over the traces once more. Raises NotFound."""
    with transaction() as c:
        lock_owners(c, organization_id, [participant_id])
        row = participants.full(c, organization_id, [participant_id]).get(participant_id)
        if row is None:
            raise NotFound("Participant not found")
        now = read_clock(c)
        pseudonym = f"erased-{participant_id}"
        erasures.profile(c, Erased(organization_id, participant_id, row["external_id"], pseudonym), now)
        due_work.put(c, KIND, organization_id, participant_id, now + DELAY, {
            "external_id": row["external_id"], "stage": next(iter(STAGES)), "after": None,
        })


def erase_some(c: Connection) -> Turn:
    """Take one step of the oldest erasure."""
    now = read_clock(c)
    work = due_work.first(c, KIND, now)
    if work is None:
        return NOTHING
    organization_id, participant_id, details = work["organization_id"], work["subject_id"], work["details"]
    erased = Erased(organization_id, participant_id, details["external_id"], f"erased-{participant_id}")
    after = STAGES[details["stage"]](c, erased, details["after"])
    stage = details["stage"] if after is not None else _FOLLOWING.get(details["stage"])
    if stage is None:
        due_work.done(c, KIND, organization_id, participant_id)
    else:
        details |= {"stage": stage, "after": after}
        due_work.put(c, KIND, organization_id, participant_id, now, details)
    return Turn(more=True)
