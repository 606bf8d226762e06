"""The retry schedule, the circuit and the window as values: tables in, instants out."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import EPOCH
from app.domain.webhooks import (
    CIRCUIT_FAILURES,
    IN_FLIGHT_PER_ENDPOINT_MAX,
    RETRY_SECONDS,
    Attempt,
    Circuit,
    DeliveryError,
    is_degraded,
    next_attempt_at,
    next_window,
    room,
    success_rate,
)

GOOD = Attempt(None, 200)
BAD = Attempt(DeliveryError.SERVER_ERROR, 500)
BUSY = Attempt(DeliveryError.RATE_LIMITED, 429, retry_after=timedelta(seconds=5))
NOW = EPOCH


def after(circuit: Circuit, *attempts: Attempt) -> Circuit:
    for attempt in attempts:
        circuit = circuit.after(attempt, NOW)
    return circuit


def test_ten_failures_in_a_row_open_the_circuit_and_nine_do_not() -> None:
    nine = after(Circuit(), *[BAD] * 9)
    assert not nine.is_open(NOW)
    ten = after(nine, BAD)
    assert ten.broken_until == NOW + timedelta(seconds=60)
    assert ten.is_open(NOW + timedelta(seconds=59))
    assert not ten.is_open(NOW + timedelta(seconds=60))
    assert after(nine, GOOD, *[BAD] * 9) == nine


def test_failures_that_were_on_their_way_do_not_lengthen_an_open_circuit() -> None:
    ten = after(Circuit(), *[BAD] * 10)
    more = after(ten, *[BAD] * 6)
    assert (more.delay_seconds, more.broken_until) == (ten.delay_seconds, ten.broken_until)


def test_each_failed_probe_doubles_the_delay_up_to_an_hour_and_one_success_ends_it() -> None:
    circuit, now, delays = after(Circuit(), *[BAD] * 10), NOW, []
    for _ in range(9):
        delays.append(circuit.delay_seconds)
        assert circuit.broken_until is not None
        now = circuit.broken_until
        circuit = circuit.after(BAD, now)
    assert delays == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert circuit.after(GOOD, now) == Circuit()


def test_a_receiver_that_says_when_to_come_back_is_not_broken() -> None:
    assert after(Circuit(), *[BUSY] * 50) == Circuit()


@pytest.mark.parametrize("attempt", range(1, 8))
def test_the_delay_of_each_attempt_moves_by_a_fifth_at_most(attempt: int) -> None:
    seconds = RETRY_SECONDS[attempt - 1]
    for jitter, factor in ((-1.0, 0.8), (0.0, 1.0), (1.0, 1.2)):
        at = next_attempt_at(attempt, 8, NOW, jitter, None)
        assert at == NOW + timedelta(seconds=seconds * factor)
    wish = timedelta(hours=20)
    assert next_attempt_at(attempt, 8, NOW, 0.0, wish) == NOW + max(timedelta(seconds=seconds), wish)


def test_there_is_no_ninth_attempt() -> None:
    assert next_attempt_at(8, 8, NOW, 0.0, timedelta(hours=1)) is None


@given(st.lists(st.booleans(), max_size=200))
def test_a_window_stays_within_its_bounds_and_opens_for_what_works(outcomes: list[bool]) -> None:
    window = 4
    for delivered in outcomes:
        before, window = window, next_window(window, delivered=delivered)
        assert 1 <= window <= IN_FLIGHT_PER_ENDPOINT_MAX
        assert window >= before if delivered else window <= before
    for _ in range(IN_FLIGHT_PER_ENDPOINT_MAX):
        window = next_window(window, delivered=True)
    assert window == IN_FLIGHT_PER_ENDPOINT_MAX


@given(st.integers(1, 16), st.integers(0, 16), st.integers(0, 40))
def test_no_process_takes_more_than_the_endpoint_may_get_from_all(window: int, here: int, all_: int) -> None:
    more = room(Circuit(), window, here, all_)
    assert more >= 0
    assert more == 0 or (here + more <= window and all_ + more <= IN_FLIGHT_PER_ENDPOINT_MAX)
    probing = Circuit(CIRCUIT_FAILURES, 60, NOW)
    assert room(probing, window, here, all_) == (1 if all_ == 0 else 0)


def test_rate_and_degradation_are_those_of_the_contract() -> None:
    assert success_rate(142, 3) == 0.9793
    assert success_rate(0, 0) == 1.0
    assert not is_degraded(10, 9)
    assert is_degraded(18, 2)
    assert not is_degraded(19, 1)
