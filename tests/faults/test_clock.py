"""The fault matrix: the clock jumps while events are being decided."""

import time
from datetime import timedelta

import pytest

from tests.faults.house import House


@pytest.mark.nightly
@pytest.mark.parametrize("jump", [timedelta(minutes=1), timedelta(days=400)], ids=["a minute", "400 days"])
def test_the_clock_jumps_ahead(house: House, jump: timedelta) -> None:
    with house.backlog():
        now = house.rows("SELECT read_clock() AS now")[0]["now"]
        house.rows("UPDATE clock SET ahead = ahead + %s RETURNING ahead", jump)
        seconds = house.new_events_are_decided(time.monotonic())
    assert house.rows("SELECT read_clock() AS now")[0]["now"] - now >= jump
    print(f"clock {jump} ahead: new events after {seconds:.2f} s")
    house.is_exact()
