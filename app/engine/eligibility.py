"""Who may redeem a reward: a condition over the participant and the program; `now` is the clock's instant."""

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from app.domain.events import Event
from app.domain.names import EventType
from app.engine import cel
from app.engine.cel import Environment, Kind, Program
from app.engine.ruleset import Candidates, Ruleset, fields_of, reads_field
from app.engine.state import World
from app.engine.variables import activation

ELIGIBILITY = Environment(frozenset(("participant", "program", "now")))
CONDITIONS_KEPT = 2_000
_NO_EVENT = UUID(int=0)


@lru_cache(maxsize=CONDITIONS_KEPT)
def compile_eligibility(text: str) -> tuple[Program, Candidates]:
    """Compile a condition; returns it with what it reads. Raises CelError."""
    program = cel.compile_in(text, Kind.CONDITION, ELIGIBILITY)
    paths = sorted(path for path in program.reads.paths if path[0] != "now")
    return program, Candidates(
        (), tuple(paths), fields_of(paths),
        reads_groups=any(reads_field(path, "groups") for path in paths),
        reads_tiers=any(reads_field(path, "tiers") for path in paths),
        reads_balances=any(reads_field(path, "balances") for path in paths),
        budget_rules=(), wallet_assets=(), program_state=any(path[0] == "program" for path in paths),
    )


def why_not(text: str, event: Event, world: World, ruleset: Ruleset) -> str | None:
    """Return None where the condition holds for the participant of `event`, else why it does not."""
    program, candidates = compile_eligibility(text)
    variables = {"event": None, **activation(event, world, ruleset, candidates), "now": world.now}
    explanation = program.explain(variables)
    if explanation.error is not None:
        return f"`{text}` could not be evaluated: {explanation.error}"
    if explanation.value is True:
        return None
    return "; ".join(cel.lines(explanation)) or f"`{text}` is false"


def occasion(organization_id: UUID, program_id: UUID, participant_id: UUID, now: datetime) -> Event:
    """Return the event that stands in for a redemption: it only names whose state is read."""
    return Event(
        organization_id, 0, _NO_EVENT, program_id, EventType.SYSTEM, participant_id, None, None, None, "",
        now, now, {}, 0, participant_id,
    )
