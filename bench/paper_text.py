"""What the paper says around its tables: how to read them, and what was done about what they show."""

HEAD = """
# Performance: what was measured, beside what it is measured against

Written by `python3 dev.py bench all`; change the text in `bench/paper_text.py`, not here. Every part runs
on a system of its own with `fsync` on, everything on one machine: load generator, API, workers,
PostgreSQL, Valkey. Its baseline runs in the same minutes, so that ratios hold where absolute figures do
not. What each measurement does is told in [benchmarks](benchmarks.md).

## The run
"""

SEEDS = """
Seeds are fixed: measurement number N of a part draws its events from seed N, the hundred rules of CEL
come from seed 7. What cannot be repeated is the machine: the load when a part began stands beside it.
Above the number of logical CPUs, other work took part of them.
"""

FLOORS = """
## Floors

The floors of this project are for the full profile on two cores that do nothing else.
"""

BUSY = """
**Other work took part of the processors while some parts ran** (a load above the number of logical CPUs
when they began): their absolute figures and percentiles are those of a busy machine.
"""

QUICK = """
**At least one part was run with the quick profile**: thousands of events instead of hundreds of
thousands, first seconds included. It shows magnitudes; a percentile of a few hundred requests is one
disturbance away from twice itself, and a floor that is missed or kept by a little is not decided by it.
"""

NOT_REACHED = """
Known not to be reached on any run so far: *one a commit / hordak plain* (1.4 to 2.1: three times the speed of
a transfer that checks nothing; against django-hordak with the same check the ratio is about four). Where
another line says *missed*, this run did not reach it.
"""

CHAPTERS = {
    "main-path": """
## Main path

*limit* is the same write set as bare SQL functions called by pgbench: what PostgreSQL could do if everything
else were free. *naive* is one Dramatiq message and one transaction an event on the same Redis, through an
ORM, which is what a task queue suggests. Grey bars are these baselines.
""",
    "cel": """
## Expressions

The baseline is cel-python's interpreter on the same 14 expressions, the engines interleaved, in CPU time.
""",
    "ledger": """
## Ledger

The baselines are the bare minimum of SQL for a transfer (pgbench, a hundred a commit) and django-hordak, one
transfer a commit: *plain* as it comes, *checked* with the lock and the look at the balance that every
transfer of ours has.
""",
    "rules": """
## Many rules

The baseline is the same program with 10 rules. Three rules match in each; the others are about types that no
event has or, in the last line, about the event's own type, so that all are evaluated.
""",
    "redemptions": """
## Redemptions

The baseline is a bare commit of one row, at the same rate in the same seconds, by another process. The bound
is judged under load; *calm* is a fifth of that rate.
""",
    "webhooks": """
## Webhooks

The baseline is a bare loop of urllib3 that posts the same body, without signature, record or retry.
""",
    "broadcast": """
## Broadcasts

What live events (50 a second) feel of a broadcast to everybody, against the same load without one.
""",
    "due": """
## Due work

The same for scheduled events that become due all at the same minute.
""",
    "reports": """
## Reports

Reports read roll-ups. The baseline is a journal of a tenth of the size and, in grey, the same liability at a
past instant added up from the postings, which is what one would write first.
""",
}

PROFILE = """
## Where the CPU goes

The kernel interrupts after every tick of CPU (1 to 10 ms, by how it was built) and the stack that runs is
counted; nothing is slowed down, so small functions are not blamed for being many. The flame graph is the
worker's thread: how wide, so much CPU; what stands on a function was called by it. PostgreSQL counts its own
statements.
"""

REMOVED = """
### What was done about the top entries

Eleven bottlenecks of the main path were found with these tools and removed; each ratio is of one run.
"""
REMOVED_ROWS = [
    [
        "worker: writing JSON",
        "the standard encoder, a sixth of the worker's time: every row goes to PostgreSQL as JSON",
        "orjson; a property holds both ways of writing to one text",
        "a webhook row 10.7 → 0.7 µs (15×), all of writing a batch 50 → 37 µs an event (1.35×)",
    ],
    [
        "worker: making values",
        "frozen dataclasses set each field through `object.__setattr__` at run time",
        "slots without run-time guards; the type checker holds what they guarded",
        "with the next line: worker CPU 131 → 106 µs an event (1.24×), JSON included",
    ],
    [
        "worker: ids",
        "a UUID is made in 0.9 µs, many times for the same id, and compared in Python",
        "the same text yields the same object (claim, accounts, owners); amounts are formatted once",
        "see above",
    ],
    [
        "worker, API: statements of a pipeline",
        "psycopg sends each at once and polls twice for it; the server wakes for each",
        "they are kept until something is fetched, BEGIN and COMMIT with them (`app/db.py`)",
        "client CPU of a posting 868 → 730 µs on busy cores (1.19×)",
    ],
    [
        "worker: rendering ids",
        "a seventh of its CPU: `uuid.UUID` is made and printed in Python",
        "rows carry the ids, which orjson prints; made from a number without the checks of other arguments",
        "worker CPU 210 → 182 µs an event on busy cores (1.15×)",
    ],
    [
        "API: the garbage collector",
        "it walked pydantic, Flask and the document again and again, holding up every thread",
        "what is loaded is left alone, after the fork, as in the worker",
        "accepting a batch 67 → 60 µs an event on busy cores (1.11×)",
    ],
    [
        "worker: asking for messages",
        "Dramatiq's consumers ask and sleep up to 20 ms in between, those of delayed messages too",
        "a message calls the consumer that waits; none is ever delayed (`app/broker.py`)",
        "at 200/s median to COMPLETED 13.0 → 6.5 ms (2.0×), CPU of an idle worker 52 → 4 ms a second",
    ],
    [
        "API: reading and checking a batch, ringing",
        "exact decimals and a model for each event; a command to Redis for each of 50 bells",
        "what surely fits is recognised without both (`app/api/plain_batches.py`); one script for all bells",
        "web CPU over HTTP 38.5 → 19.0 µs an event (2.0×)",
    ],
    [
        "worker: reading rows, making ids, printing amounts",
        "JSON read cell by cell, rows as dicts, big numbers put together for each id",
        "one text for all cells of a batch, tuples, one addition an id, `str` where it is the same",
        "worker CPU 143 → 128 µs an event, both trees at once on busy cores (1.12×)",
    ],
    [
        "worker, PostgreSQL: small batches",
        "each of 64 partitions by itself: at a backlog of 5,000 a batch of 22 statements has 132 events",
        "a message names up to eight, which share batches; rings of a process are 8 ms apart",
        "273 events a batch; CPU of all processes: sustained 1.06 to 1.16×, at 200 single events/s 1.3×",
    ],
    [
        "PostgreSQL: CHECK constraints",
        "each statement reads and plans their texts anew: two fifths of posting a single entry",
        "one a table, lists of words in domains (migration 0016)",
        "the statement of a single posting 212 → 178 µs (1.19×)",
    ],
    [
        "PostgreSQL: writing a batch",
        "the inserts of the write set",
        "rows as one JSON parameter a table, generic plans forced, few indexes; left: the limit does it too",
        "none",
    ],
]
REMOVED_END = """
What is left at the top is the work itself: reading rows, evaluating conditions, rendering decisions.
"""
