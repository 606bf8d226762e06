"""Redeem, reverse, expire, transfer in any order on the real database, beside a slow and obvious model.

The model keeps parcels of whole cents in lists and walks them one by one; it shares nothing with the ledger.
After every step balances, lots, stock and redemptions are compared with it, at the end the books are audited.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from app import db
from app.book import read
from app.book.due import DueKind
from app.domain.errors import DomainError
from app.domain.ids import new_id
from app.domain.names import OwnerType
from app.flows import (
    manage_assets,
    manage_programs,
    manage_rewards,
    post_due_lots,
    redeem,
    redeem_reward,
    reverse,
)
from app.flows.bootstrap import create_organization
from app.flows.move_value import Call, open_desk
from app.flows.quote_reward import quote
from app.flows.transfer import Party, Transfer
from app.flows.transfer import transfer as transfer_value
from app.ledger.accounts import AccountKey
from app.ledger.credits import credit
from app.store import groups
from tests.book.conftest import seal_everything, violations
from tests.value.model import GRACE_HOURS, NAMES, Model, Refused, Sale

HASH = bytes(32)
_PERSON = """
WITH o AS (
    INSERT INTO owners (organization_id, id, kind) VALUES (%(o)s, %(id)s, 'PARTICIPANT')
), p AS (
    INSERT INTO participants (organization_id, id, external_id, status, created_at, updated_at)
    VALUES (%(o)s, %(id)s, %(name)s, 'ACTIVE', %(now)s, %(now)s)
)
INSERT INTO enrollments (organization_id, program_id, participant_id, status, enrolled_at, updated_at)
VALUES (%(o)s, %(program)s, %(id)s, 'ACTIVE', %(now)s, %(now)s)
"""
STOCK, EACH, PRICE, LEAST = 6, 4, 150, 75
STEPS_AT_LENGTH = 5_000
HOUR, HALF_AN_HOUR = timedelta(hours=1), timedelta(minutes=30)

people = st.sampled_from(NAMES[:2])
owners = st.sampled_from(NAMES)
cents = st.integers(1, 700)


class ValueMachine(RuleBasedStateMachine):
    """Does everything twice: through the flows, and in the model."""

    steps: ClassVar[int] = 0

    @initialize(lots=st.sampled_from([True, True, False]))
    def begin(self, lots: bool) -> None:
        self.model = Model(lots)
        self.sales: list[tuple[UUID, Sale]] = []
        with db.transaction() as c:
            self.organization_id = create_organization(c, "Machine", 0, 0)
            self.now = db.read_clock(c)
        self.program_id: UUID = manage_programs.create(
            self.organization_id, name="P", description=None, on_unknown_participant="CREATE",
            reversal_grace=f"{GRACE_HOURS}h",
        )["id"]
        self.asset_id: UUID = manage_assets.create(
            self.organization_id, self.program_id, name="A", symbol="A", issuance_policy="UNLIMITED", scale=2,
            inventory_mode="LOT" if lots else "SIMPLE", max_transaction_amount=None,
        )["id"]
        self.call = Call(self.organization_id, None, self.program_id, self.asset_id)
        self.ids = {name: self._person(name) for name in NAMES[:2]}
        self.ids["team"] = self._group()
        self.units = self._reward("UNIT_BASED", PRICE, max_total=STOCK, max_per_participant=EACH)
        self.any_amount = self._reward("AMOUNT_BASED", LEAST)
        for hours in (None, 3, 9):
            for name in NAMES:
                self.give(name, 400, hours)

    def _person(self, name: str) -> UUID:
        made = new_id()
        with db.transaction() as c:
            c.execute(_PERSON, {
                "o": self.organization_id, "id": made, "name": name, "program": self.program_id,
                "now": self.now,
            })
        return made

    def _group(self) -> UUID:
        made = new_id()
        with db.transaction() as c:
            groups.insert(c, self.organization_id, made, "team", self.now)
        return made

    def _reward(self, kind: str, price: int, **limits: int) -> UUID:
        fields = dict.fromkeys((
            "description", "category", "max_total", "max_per_participant", "available_from",
            "available_until", "eligibility", "metadata",
        ))
        made: UUID = manage_rewards.create(self.organization_id, self.program_id, {
            **fields, "name": kind, "redemption_type": kind, "asset_id": self.asset_id,
            "unit_cost": money(price), "status": "ACTIVE", **limits,
        })["id"]
        return made

    def both(self, model: Callable[[], Any], flow: Callable[[], Any]) -> tuple[Any, Any]:
        """Do it on both sides; they must refuse the same for the same reason."""
        expected, why = None, None
        try:
            expected = model()
        except Refused as refused:
            why = str(refused)
        done, code = outcome(flow)
        assert code == why, f"the flow says {code}, the model says {why}"
        return expected, done

    @rule(hours=st.integers(1, 4))
    def let_time_pass(self, hours: int) -> None:
        self.model.hour += hours
        with db.transaction() as c:
            c.execute("UPDATE clock SET ahead = ahead + %s", (timedelta(hours=hours),))

    @rule()
    def run_the_background(self) -> None:
        while post_due_lots.post_batch(DueKind.EXPIRY):
            pass
        for name in NAMES:
            self.model.expire(name)

    @rule(who=owners, amount=cents, hours=st.none() | st.integers(1, 12))
    def give(self, who: str, amount: int, hours: int | None) -> None:
        self.model.give(who, amount, None if hours is None else self.model.hour + hours)
        with db.transaction() as c:
            desk = open_desk(c, self.call, [self.ids[who]])
            # Half an hour beyond the hour, so that the seconds which the test takes decide nothing.
            expires = None if hours is None or not self.model.lots else self.moment(self.model.hour + hours)
            desk.write(desk.plan(lambda: credit(
                desk.account(self.ids[who]), desk.source(), desk.asset, money(amount), expires_at=expires,
                **desk.how(),
            )))

    def moment(self, hour: int) -> datetime:
        return self.now + timedelta(hours=hour) - HALF_AN_HOUR

    def hour_of(self, moment: datetime | None) -> int | None:
        """The model's hour of a lot's date; one given by grace is later by the seconds that the test took."""
        return None if moment is None else (moment - self.now + HALF_AN_HOUR) // HOUR

    @rule(who=people, amount=cents)
    def redeem_an_amount(self, who: str, amount: int) -> None:
        wanted = redeem.Wanted(self.ids[who], money(amount), "x")
        done, code = outcome(lambda: redeem.redeem(self.call, wanted, None, HASH))
        self.sell(who, amount, None, done, code, None)

    @rule(who=people, amount=st.integers(LEAST - 2, 400))
    def redeem_a_reward_by_amount(self, who: str, amount: int) -> None:
        self.take(who, amount, None, redeem_reward.Choice(
            self.program_id, self.ids[who], self.any_amount, amount=money(amount)
        ))

    @rule(who=people, units=st.integers(1, 3))
    def redeem_a_reward_in_units(self, who: str, units: int) -> None:
        self.take(who, units * PRICE, units, redeem_reward.Choice(
            self.program_id, self.ids[who], self.units, quantity=units
        ))

    def take(self, who: str, amount: int, units: int | None, choice: redeem_reward.Choice) -> None:
        """Ask for a quote, then redeem: both must say the same."""
        asked, foretold = outcome(lambda: quote(self.organization_id, choice))
        if asked is not None:
            foretold = asked["reasons"][0]["code"] if asked["reasons"] else None
            assert asked["redeemable"] is (foretold is None)
        done, code = outcome(
            lambda: redeem_reward.redeem_reward(self.organization_id, None, choice, None, HASH)
        )
        assert code == foretold, f"the quote said {foretold}, the redemption says {code}"
        refused = None
        if choice.reward_id == self.any_amount and amount < LEAST:
            refused = "invalid_amount"
        elif units is not None and self.model.sold + units > STOCK:
            refused = "max_total_exceeded"
        elif units is not None and self.model.held_by[who] + units > EACH:
            refused = "max_per_participant_exceeded"
        self.sell(who, amount, units, done, code, refused)

    def sell(
        self, who: str, amount: int, units: int | None, done: Any, code: str | None, refused: str | None
    ) -> None:
        """Let the model sell what was sold, and refuse what was refused."""
        taken = []
        try:
            taken = self.model.take(who, amount) if refused is None else []
        except Refused as why:
            refused = str(why)
        assert code == refused, f"the flow says {code}, the model says {refused}"
        if done is not None:
            self.model.sold += units or 0
            self.model.held_by[who] += units or 0
            self.sales.append((UUID(done.response["id"]), Sale(who, amount, units, taken)))

    @precondition(lambda self: self.sales)
    @rule(data=st.data(), beyond=st.booleans())
    def give_back(self, data: st.DataObject, beyond: bool) -> None:
        redemption_id, sale = data.draw(st.sampled_from(self.sales))
        left = (sale.amount - sale.returned) // (1 if sale.units is None else PRICE)
        part = data.draw(st.none() | st.integers(1, max(1, left + (1 if beyond else 0))))
        self.give_part_back(redemption_id, sale, part)

    @rule(who=people, share=st.integers(1, 100), again=st.integers(1, 100))
    def spend_nearly_all_and_think_better_of_it(self, who: str, share: int, again: int) -> None:
        """Reach on purpose what chance reaches rarely: several lots, given back in several parts."""
        amount = self.model.balance(who) * share // 100
        if not amount:
            return
        before = len(self.sales)
        self.redeem_an_amount(who, amount)
        if len(self.sales) > before:
            redemption_id, sale = self.sales[-1]
            self.give_part_back(redemption_id, sale, max(1, amount * again // 100))
            self.give_part_back(redemption_id, sale, max(1, amount * again // 200))

    def give_part_back(self, redemption_id: UUID, sale: Sale, part: int | None) -> None:
        step = PRICE if sale.units is not None else 1
        left = (sale.amount - sale.returned) // step
        amount = left * step if part is None else part * step
        what = "quantity" if sale.units is not None else "amount"

        def expected() -> bool:
            if not left:
                raise Refused("already_reversed")
            if amount > left * step:
                raise Refused(f"{what}_exceeds_remaining")
            self.model.put_back(sale, amount)
            if sale.units is not None:
                self.model.sold -= amount // step
                self.model.held_by[sale.who] -= amount // step
            return True

        how: dict[str, Any] = {}
        if part is not None:
            how = {what: part if what == "quantity" else money(part)}
        self.both(expected, lambda: reverse.reverse(
            self.organization_id, None, redemption_id, reverse.Reversal("x", **how), None, HASH
        ))

    @rule(source=owners, recipients=st.lists(st.tuples(owners, cents), min_size=1, max_size=2))
    def transfer(self, source: str, recipients: list[tuple[str, int]]) -> None:
        names = [name for name, _ in recipients]

        def expected() -> bool:
            if len(set(names)) < len(names):
                raise Refused("invalid_request")
            if source in names:
                raise Refused("self_transfer")
            self.model.take(source, sum(amount for _, amount in recipients))
            for name, amount in recipients:
                self.model.give(name, amount, None)
            return True

        wanted = Transfer(
            self.party(source), tuple((self.party(name), money(amount)) for name, amount in recipients), "x"
        )
        self.both(expected, lambda: transfer_value(self.call, wanted, None, HASH))

    def party(self, name: str) -> Party:
        kind = OwnerType.GROUP if name == "team" else OwnerType.PARTICIPANT
        return Party(kind, self.ids[name])

    @invariant()
    def balances_lots_and_stock_are_the_model_s(self) -> None:
        if not hasattr(self, "units"):
            return
        ValueMachine.steps += 1
        with db.connection() as c:
            now = db.read_clock(c)
            keys = {name: AccountKey(self.organization_id, self.ids[name], self.asset_id) for name in NAMES}
            found = read.accounts_with_lots(c, list(keys.values()))
            reward = c.execute(
                "SELECT redeemed_count AS n, status FROM rewards WHERE id = %s", (self.units,)
            ).fetchone()
        for name, key in keys.items():
            live = [lot for lot in found[key].lots or () if not lot.is_due(now)]
            if self.model.lots:
                parcels = [
                    (money(parcel.left), parcel.expires)
                    for parcel in sorted(self.model.parcels[name], key=lambda one: one.born)
                    if parcel.left and (parcel.expires is None or parcel.expires > self.model.hour)
                ]
                assert [(lot.remaining, self.hour_of(lot.expires_at)) for lot in live] == parcels, name
                assert found[key].available == sum(lot.remaining for lot in found[key].lots or ())
            else:
                assert found[key].available == money(self.model.balance(name)), name
        assert reward is not None
        assert reward["n"] == self.model.sold
        assert reward["status"] == ("OUT_OF_STOCK" if self.model.sold == STOCK else "ACTIVE")


def outcome(act: Callable[[], Any]) -> tuple[Any, str | None]:
    """Do something; what came of it, or the code of its refusal."""
    try:
        return act(), None
    except DomainError as error:
        return None, error.code


def money(count: int) -> Decimal:
    """So many cents as an amount."""
    return Decimal(count) / 100


def machine_run(examples: int, steps: int) -> int:
    """Run the machine, then audit the books; returns how many steps were taken and compared."""
    ValueMachine.steps = 0
    run_machine(ValueMachine, settings=settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, print_blob=True,
        suppress_health_check=list(HealthCheck),
    ))
    seal_everything()
    assert violations() == {}
    return ValueMachine.steps


def test_any_order_of_redemptions_reversals_expiry_and_transfers(database: str) -> None:
    assert machine_run(5, 40) > 30


@pytest.mark.nightly
def test_any_order_of_them_at_length(database: str) -> None:
    # How many steps an example takes is up to chance: some end early.
    steps = 0
    while steps < STEPS_AT_LENGTH:
        steps += machine_run(100, 50)
    print(f"{steps} steps agreed with the model")
