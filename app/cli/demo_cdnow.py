"""The larger demonstration `demo cdnow`: a cashback program, and a real purchase history sent through it.

What lives here: setting up the program, sending, waiting, reading the journal back and comparing. The data
and the independent computation live in app/cli/cdnow. Everything goes over HTTP, so it works on any system.
"""

import secrets
import sys
import time
from argparse import Namespace
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from app.cli import cdnow
from app.cli.cdnow import Purchase
from app.cli.datafolder import DataFolder
from app.cli.demo import api_of
from app.cli.failure import Failure
from app.cli.scenario_player import Api

BATCH = 100
LANES = 4  # Connections that send; the purchases of one customer stay in one lane, in order.
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 300.0  # Without an event being decided.
BAR = 40
TOP = 10
PURCHASE = 'event.type == "purchase"'


def play(arguments: Namespace) -> int:
    """Replay the history into a new program; 1 where a cent is missing."""
    purchases = cdnow.read(cdnow.fetch(DataFolder.of_environment().path / "cache"))
    api = api_of(arguments)
    run = secrets.token_hex(3)
    program = _program(api, run)
    customers = len({purchase.customer for purchase in purchases})
    print(f"{len(purchases):,} purchases of {customers:,} customers → program {program['id']}")
    started = time.monotonic()
    _send(api, program["id"], run, purchases)
    accepted = time.monotonic()
    _wait(api, program["id"], len(purchases))
    done = time.monotonic()
    print(
        f"Accepted in {accepted - started:.1f} s ({len(purchases) / (accepted - started):,.0f} events/s); "
        f"all decided {done - accepted:.1f} s later."
    )
    return _compare(api, program["id"], run, purchases)


def _program(api: Api, run: str) -> dict[str, Any]:
    """Make program, asset and rules."""
    program = _create(api, "/v1/programs", {"name": f"CDNOW cashback {run}"})
    asset = _create(api, "/v1/assets", {
        "program_id": program["id"], "name": "Cashback dollars", "symbol": f"USD{run}",
        "inventory_mode": "SIMPLE", "issuance_policy": "UNLIMITED", "scale": 2,
    })

    def credit(percent: int) -> dict[str, Any]:
        return {"type": "CREDIT", "asset_id": asset["id"], "amount": f"round(event.amount * 0.0{percent}, 2)",
                "description": f"{percent} % of order {{{{ event.order }}}}"}

    def count(key: str, value: str) -> dict[str, Any]:
        return {"type": "COUNTER", "key": key, "value": value}

    for name, condition, actions in (
        ("5 % above 100 dollars", f"{PURCHASE} && event.amount > 100", [credit(cdnow.HIGH_PERCENT)]),
        ("3 % up to 100 dollars", f"{PURCHASE} && event.amount > 0 && event.amount <= 100",
         [credit(cdnow.LOW_PERCENT)]),
        ("Count purchases, discs and dollars", PURCHASE,
         [count("purchases", "1"), count("discs", "event.discs"), count("dollars", "event.amount")]),
        ("Big basket", f"{PURCHASE} && event.amount > 250", [{"type": "TAG", "tag": "big-basket"}]),
        ("Regular from the tenth purchase", f'{PURCHASE} && get(participant.counters, "purchases", 0) >= 9',
         [{"type": "TAG", "tag": "regular"}]),
    ):
        _create(api, "/v1/rules", {
            "program_id": program["id"], "name": name, "condition": condition, "actions": actions,
        })
    return program


def _create(api: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    status, answer = api("POST", path, body)
    if status != 201:
        raise Failure(f"POST {path} answered {status}: {answer}")
    made: dict[str, Any] = answer
    return made


def _send(api: Api, program_id: str, run: str, purchases: list[Purchase]) -> None:
    """Send everything in batches: each customer's purchases in order, several lanes at once."""
    lanes: list[list[Purchase]] = [[] for _ in range(LANES)]
    for purchase in purchases:
        lanes[int(purchase.customer) % LANES].append(purchase)
    sent = [0] * LANES

    def work(lane: int) -> None:
        for start in range(0, len(lanes[lane]), BATCH):
            part = lanes[lane][start : start + BATCH]
            _submit(api, [_event(program_id, run, purchase) for purchase in part])
            sent[lane] += len(part)

    with ThreadPoolExecutor(LANES) as pool:
        running = [pool.submit(work, lane) for lane in range(LANES)]
        while wait(running, POLL_SECONDS).not_done:
            _show("Sending", sum(sent), len(purchases))
        for each in running:
            each.result()
    _show("Sending", sum(sent), len(purchases), end="\n")


def _event(program_id: str, run: str, purchase: Purchase) -> dict[str, Any]:
    return {
        "program_id": program_id, "external_id": f"cdnow-{run}-{purchase.customer}",
        "idempotency_key": f"cdnow-{purchase.number}", "event_timestamp": purchase.at,
        "event_data": {
            "type": "purchase", "order": purchase.number, "discs": purchase.discs,
            "amount": purchase.cents / 100,
        },
    }


def _submit(api: Api, events: list[dict[str, Any]]) -> None:
    """Send a batch until it is taken: a full queue says when to come again, and keys make it safe."""
    for _ in range(100):
        status, answer = api("POST", "/v1/events/batch", {"events": events})
        if status == 202 and answer["error_count"] == 0:
            return
        if status != 429:
            raise Failure(f"POST /v1/events/batch answered {status}: {answer}")
        time.sleep(1.0)  # The queue is full: workers first have to catch up.
    raise Failure("The queue stays full: are workers running?")


def _wait(api: Api, program_id: str, total: int) -> None:
    """Wait until nothing of the program waits; bounded by the time in which nothing moves."""
    oldest, since = None, time.monotonic()
    while True:
        head = _first_waiting(api, program_id)
        if head is None:
            _show("Deciding", total, total, end="\n")
            return
        if head != oldest:
            oldest, since = head, time.monotonic()
            _show("Deciding", min(int(head.removeprefix("cdnow-") or 0), total), total, about=True)
        if time.monotonic() - since > PATIENCE_SECONDS:
            raise Failure("Nothing is being decided any more: are workers running?")
        time.sleep(POLL_SECONDS)  # The API is asked again: it tells nobody how far it is.


def _first_waiting(api: Api, program_id: str) -> str | None:
    """Return the key of the oldest event that waits, None where none does, "" where nobody can say."""
    for status in ("RECEIVED", "PENDING", "PROCESSING"):
        code, answer = api("GET", f"/v1/events?program_id={program_id}&status={status}&limit=1&sort_dir=asc")
        if code != 200:
            return ""
        if answer["data"]:
            return str(answer["data"][0]["idempotency_key"])
    return None


def _show(what: str, done: int, total: int, *, end: str = "", about: bool = False) -> None:
    """Draw the progress bar; into a file only its end."""
    if not end and not sys.stdout.isatty():
        return
    filled = BAR * done // total
    count = "" if about else f" {done:>7,} of {total:,}"
    print(f"\r{what:<9} {'█' * filled}{'·' * (BAR - filled)}{count:<20}", end=end, flush=True)


def _compare(api: Api, program_id: str, run: str, purchases: list[Purchase]) -> int:
    """Add up the journal, show it, and compare each customer with the independent computation."""
    wanted = cdnow.expected(purchases)
    names, paid, entries = _paid(api, program_id)
    _, failed = api("GET", f"/v1/events?program_id={program_id}&status=FAILED&limit=1")
    by_customer = Counter({names.get(owner, owner): cents for owner, cents in paid.items()})
    prefix = f"cdnow-{run}-"
    print(f"\nPurchases   {_dollars(sum(one.cents for one in purchases)):>14}")
    print(f"Cashback    {_dollars(sum(paid.values())):>14} in {entries:,} journal entries")
    print(f"\nThe {TOP} highest balances:")
    wrong = 0
    ids = {name: owner for owner, name in names.items()}
    for name, cents in by_customer.most_common(TOP):
        _, answer = api("GET", f"/v1/participants/{ids[name]}/balances")
        stored = [each["available"] for each in answer["data"]]
        wrong += stored != [f"{cents // 100}.{cents % 100:02}"]
        print(f"  {name:<22} {stored[0] if stored else '-':>10}")
    differing = {
        customer for customer in wanted if wanted[customer] != by_customer.get(prefix + customer, 0)
    }
    if failed["data"] or differing or wrong or sum(paid.values()) != sum(wanted.values()):
        print(f"\nDIFFERENT: {len(differing)} customers, {wrong} of the balances shown, first failed event: "
              f"{failed['data'][:1]}")
        return 1
    print(f"\nEqual to an independent computation to the cent, in total "
          f"({_dollars(sum(wanted.values()))}) and for each of {len(wanted):,} customers.")
    return 0


def _paid(api: Api, program_id: str) -> tuple[dict[str, str], Counter[str], int]:
    """Return names of participants, cents credited to each, and the number of entries, by reading pages."""
    paid: Counter[str] = Counter()
    entries = 0
    for page in _pages(api, f"/v1/journal-entries?program_id={program_id}"):
        for entry in page:
            entries += 1
            for posting in entry["postings"]:
                if "participant_id" in posting:
                    paid[posting["participant_id"]] += int(posting["amount"].replace(".", ""))
    names = {
        one["participant_id"]: one["external_id"]
        for page in _pages(api, f"/v1/programs/{program_id}/participants?") for one in page
    }
    return names, paid, entries


def _pages(api: Api, path: str) -> Any:
    cursor = ""
    while True:
        _, answer = api("GET", f"{path}&limit=100{cursor}")
        yield answer["data"]
        if not answer["pagination"]["has_more"]:
            return
        cursor = f"&cursor={answer['pagination']['next_cursor']}"


def _dollars(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02}"
