"""Many connections at one balance: never a cent too much, no deadlock that a caller sees, exact sums."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import UUID

import pytest

from app import db
from app.domain.errors import DomainError, InsufficientFunds
from app.domain.names import Bucket, OwnerType
from app.flows import adjust, hold, transfer
from app.flows.adjust import Adjustment
from app.flows.hold import Handling, Operation
from app.flows.move_value import Call, open_desk
from app.flows.transfer import Party, Transfer
from app.ledger.credits import credit
from tests.book.conftest import CONNECTIONS, Shop, seal_everything, violations

SPENDS = 2000
HASH = bytes(32)
NIGHTLY = pytest.mark.nightly


@pytest.fixture
def crowd(database: str) -> Iterator[ThreadPoolExecutor]:
    """Thirty-two threads, each with a connection of its own."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        yield pool


def outcomes(pool: ThreadPoolExecutor, jobs: list[Callable[[], object]]) -> Counter[str]:
    """Run all jobs at once; count successes and refusals by code. Anything else is raised."""

    def attempt(job: Callable[[], object]) -> str:
        try:
            job()
        except DomainError as refusal:
            return refusal.code
        return "done"

    return Counter(pool.map(attempt, jobs))


def call(shop: Shop) -> Call:
    return Call(shop.api.organization_id, None, UUID(shop.program), UUID(shop.asset))


def spending(shop: Shop, amount: Decimal, owner: str | None = None) -> Callable[[], object]:
    wanted = Adjustment(
        OwnerType.PARTICIPANT, UUID(owner or shop.person), "DEBIT", amount, Bucket.AVAILABLE, "spend", False
    )
    return lambda: adjust.adjust(call(shop), wanted, None, HASH)


@pytest.mark.parametrize("fixture", ["shop", "lot_shop"])
@pytest.mark.parametrize("seed", [
    1, pytest.param(2, marks=pytest.mark.nightly), pytest.param(3, marks=pytest.mark.nightly)
])
def test_a_balance_is_never_spent_twice(
    fixture: str, seed: int, crowd: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> None:
    place: Shop = request.getfixturevalue(fixture)
    dice = random.Random(seed)
    for _ in range(40):
        place.give("30")
    amounts = [Decimal(dice.randint(1, 200)) / 100 for _ in range(SPENDS)]
    spent: list[Decimal] = []

    def job(amount: Decimal) -> Callable[[], object]:
        spend = spending(place, amount)

        def run() -> None:
            spend()
            spent.append(amount)

        return run

    found = outcomes(crowd, [job(amount) for amount in amounts])
    left = Decimal(place.balance()["available"])
    assert set(found) <= {"done", "insufficient_funds"}
    assert left == 1200 - sum(spent)
    assert left < 2, "the balance should have been spent but for a rest smaller than one spend"
    seal_everything()
    assert violations() == {}


@pytest.mark.parametrize(("funds", "draws", "seed"), [
    (100, 300, 1), *(pytest.param(700, SPENDS, seed, marks=NIGHTLY) for seed in (1, 2, 3))
])
def test_a_wallet_is_never_drawn_below_zero(
    funded_shop: Shop, crowd: ThreadPoolExecutor, funds: int, draws: int, seed: int
) -> None:
    place, dice = funded_shop, random.Random(seed)
    place.api.post(f"/v1/programs/{place.program}/assets/{place.asset}/fund", {"amount": str(funds)})
    people = [UUID(place.api.participant(f"p{number}")) for number in range(20)]

    def job(person: UUID) -> Callable[[], object]:
        def run() -> None:
            with db.transaction() as c:
                desk = open_desk(c, call(place), [person], wallet=True)
                desk.write(credit(
                    desk.account(person), desk.source(), desk.asset, Decimal(1), **desk.how()
                ))

        return run

    found = outcomes(crowd, [job(dice.choice(people)) for _ in range(draws)])
    assert found == {"done": funds, "insufficient_funds": draws - funds}
    wallet = place.api.get(f"/v1/programs/{place.program}/balance").json["data"][0]
    assert wallet["available"] == "0.00"
    assert violations() == {}


def handling(shop: Shop, operation: Operation, reference: str, amount: int | None = None) -> Handling:
    return Handling(
        operation, OwnerType.PARTICIPANT, UUID(shop.person),
        None if amount is None else Decimal(amount), "test", reference_id=reference,
    )


def provisional(shop: Shop, amount: int, bucket: Bucket, reference: str) -> Callable[[], object]:
    """Credit under a reference: into HELD provisionally, into AVAILABLE as a settle."""

    def run() -> None:
        person = UUID(shop.person)
        with db.transaction() as c:
            desk = open_desk(c, call(shop), [person], wallet=True)
            desk.write(desk.plan(lambda: credit(
                desk.account(person), desk.source(), desk.asset, Decimal(amount), bucket=bucket,
                reference_id=reference, **desk.how(),
            )))

    return run


PAIRS = pytest.mark.parametrize(("pairs", "seed"), [
    (40, 1), *(pytest.param(SPENDS // 2, seed, marks=NIGHTLY) for seed in (1, 2, 3))
])


@PAIRS
def test_of_a_settle_and_a_void_only_one_finds_the_accrual(
    lot_shop: Shop, crowd: ThreadPoolExecutor, pairs: int, seed: int
) -> None:
    references = [f"auth-{number}" for number in range(pairs)]
    for reference in references:
        provisional(lot_shop, 10, Bucket.HELD, reference)()
    jobs: list[Callable[[], object]] = []
    for reference in references:
        void = handling(lot_shop, Operation.VOID_HOLD, reference)
        jobs.append(provisional(lot_shop, 10, Bucket.AVAILABLE, reference))
        jobs.append(lambda void=void: hold.handle(call(lot_shop), void, None, HASH))
    random.Random(seed).shuffle(jobs)
    found = outcomes(crowd, jobs)
    voided = found["done"] - len(references)
    assert found["insufficient_funds"] == len(references) - voided
    balance = lot_shop.balance()
    # A settle that comes after the void is a credit of its own, so the value arrives either way.
    assert (balance["available"], balance["held"]) == (f"{10 * pairs}.00", "0.00")
    seal_everything()
    assert violations() == {}


@PAIRS
def test_a_provisional_hold_and_its_settle_meet_in_any_order(
    lot_shop: Shop, crowd: ThreadPoolExecutor, pairs: int, seed: int
) -> None:
    """A settle that comes first is a credit of its own, and what is held afterwards stays."""
    jobs: list[Callable[[], object]] = []
    for number in range(pairs):
        jobs.append(provisional(lot_shop, 10, Bucket.HELD, f"auth-{number}"))
        jobs.append(provisional(lot_shop, 8, Bucket.AVAILABLE, f"auth-{number}"))
    random.Random(seed).shuffle(jobs)
    assert outcomes(crowd, jobs) == {"done": 2 * pairs}
    balance = lot_shop.balance()
    assert balance["available"] == f"{8 * pairs}.00"
    assert Decimal(balance["held"]) % 10 == 0
    assert Decimal(balance["held"]) <= 10 * pairs
    seal_everything()
    assert violations() == {}


@PAIRS
def test_a_hold_and_its_release_meet_in_any_order(
    lot_shop: Shop, crowd: ThreadPoolExecutor, pairs: int, seed: int
) -> None:
    lot_shop.give("100")
    jobs: list[Callable[[], object]] = []
    for number in range(pairs):
        take = handling(lot_shop, Operation.HOLD, f"trip-{number}", 3)
        give = handling(lot_shop, Operation.RELEASE, f"trip-{number}")
        jobs.append(lambda take=take: hold.handle(call(lot_shop), take, None, HASH))
        jobs.append(lambda give=give: hold.handle(call(lot_shop), give, None, HASH))
    random.Random(seed).shuffle(jobs)
    assert set(outcomes(crowd, jobs)) <= {"done", InsufficientFunds.code}
    balance = lot_shop.balance()
    assert Decimal(balance["available"]) + Decimal(balance["held"]) == 100
    assert violations() == {}


def test_transfers_in_a_circle_do_not_deadlock(shop: Shop, crowd: ThreadPoolExecutor) -> None:
    people = [shop.api.participant(f"c{number}", program_id=shop.program) for number in range(6)]
    for person in people:
        assert shop.act("adjust", person, type="CREDIT", amount="100").status_code == 200
    dice = random.Random(7)

    def job() -> Callable[[], object]:
        source, first, second = dice.sample(people, 3)
        wanted = Transfer(
            Party(OwnerType.PARTICIPANT, UUID(source)),
            tuple((Party(OwnerType.PARTICIPANT, UUID(one)), Decimal(7)) for one in (first, second)), "round",
        )
        return lambda: transfer.transfer(call(shop), wanted, None, HASH)

    found = outcomes(crowd, [job() for _ in range(300)])
    assert set(found) <= {"done", "insufficient_funds"}
    assert sum(Decimal(shop.balance(person)["available"]) for person in people) == 600
    assert violations() == {}


def test_one_key_sent_by_all_at_once_does_it_once(shop: Shop, crowd: ThreadPoolExecutor) -> None:
    wanted = Adjustment(
        OwnerType.PARTICIPANT, UUID(shop.person), "CREDIT", Decimal(5), Bucket.AVAILABLE, "once", False
    )
    jobs: list[Callable[[], object]] = [
        lambda: adjust.adjust(call(shop), wanted, "same-key", HASH) for _ in range(64)
    ]
    assert outcomes(crowd, jobs) == {"done": 64}
    assert shop.balance()["available"] == "5.00"
