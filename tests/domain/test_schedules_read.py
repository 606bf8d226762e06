"""Schedules of participant_state automations read from JSON: each fault is named by its field."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.automations import (
    OFFSET_DAYS_MAX,
    AttributeDate,
    Cron,
    Interval,
    ScheduleFault,
    ScheduleType,
    Threshold,
    schedule_from_json,
)
from app.domain.tiers import Operator

DATE = {"attribute": "birthday"}
THRESHOLD = {"counter": "visits", "operator": ">=", "threshold": "10"}


def test_what_is_left_out_has_its_default() -> None:
    assert schedule_from_json(ScheduleType.ATTRIBUTE_DATE, DATE) == AttributeDate(
        "birthday", time(9), "UTC", 0, True
    )
    daily = schedule_from_json(ScheduleType.INTERVAL, {"interval": "24h"})
    assert daily == Interval(timedelta(days=1), False)
    assert schedule_from_json(ScheduleType.CRON, {"cron_expression": "0 9 * * *"}) == Cron("0 9 * * *", "UTC")
    assert schedule_from_json(ScheduleType.THRESHOLD, THRESHOLD) == Threshold(
        "visits", Operator.AT_LEAST, Decimal(10), False
    )


def test_what_is_given_is_read() -> None:
    place = {"time": "23:59", "timezone": "Europe/Berlin"}
    given = {**DATE, **place, "offset_days": Decimal(-7), "recurring": "ONCE"}
    assert schedule_from_json(ScheduleType.ATTRIBUTE_DATE, given) == AttributeDate(
        "birthday", time(23, 59), "Europe/Berlin", -7, False
    )
    anchored = schedule_from_json(ScheduleType.INTERVAL, {"interval": "1m", "anchor": "ENROLLED"})
    assert anchored == Interval(timedelta(minutes=1), True)
    repeated = schedule_from_json(ScheduleType.THRESHOLD, {**THRESHOLD, "threshold": 3, "repeat": True})
    assert repeated == Threshold("visits", Operator.AT_LEAST, Decimal(3), True)


@pytest.mark.parametrize(("kind", "config", "field"), [
    ("ATTRIBUTE_DATE", {}, "attribute"),
    ("ATTRIBUTE_DATE", {"attribute": ""}, "attribute"),
    ("ATTRIBUTE_DATE", {"attribute": "a\x00"}, "attribute"),
    ("ATTRIBUTE_DATE", {"attribute": "a" * 256}, "attribute"),
    ("ATTRIBUTE_DATE", {**DATE, "time": "9:00"}, "time"),
    ("ATTRIBUTE_DATE", {**DATE, "time": "24:00"}, "time"),
    ("ATTRIBUTE_DATE", {**DATE, "time": "0900"}, "time"),
    ("ATTRIBUTE_DATE", {**DATE, "offset_days": True}, "offset_days"),
    ("ATTRIBUTE_DATE", {**DATE, "offset_days": "1"}, "offset_days"),
    ("ATTRIBUTE_DATE", {**DATE, "offset_days": Decimal("0.5")}, "offset_days"),
    ("ATTRIBUTE_DATE", {**DATE, "offset_days": OFFSET_DAYS_MAX + 1}, "offset_days"),
    ("ATTRIBUTE_DATE", {**DATE, "offset_days": -OFFSET_DAYS_MAX - 1}, "offset_days"),
    ("ATTRIBUTE_DATE", {**DATE, "recurring": "MONTHLY"}, "recurring"),
    ("ATTRIBUTE_DATE", {**DATE, "interval": "1h"}, "interval"),
    ("INTERVAL", {}, "interval"),
    ("INTERVAL", {"interval": "soon"}, "interval"),
    ("INTERVAL", {"interval": "59s"}, "interval"),
    ("INTERVAL", {"interval": "1h", "anchor": "BORN"}, "anchor"),
    ("CRON", {}, "cron_expression"),
    ("CRON", {"cron_expression": 5}, "cron_expression"),
    ("THRESHOLD", {**THRESHOLD, "operator": None}, "operator"),
    ("THRESHOLD", {**THRESHOLD, "operator": "!="}, "operator"),
    ("THRESHOLD", {**THRESHOLD, "threshold": None}, "threshold"),
    ("THRESHOLD", {**THRESHOLD, "threshold": "ten"}, "threshold"),
    ("THRESHOLD", {**THRESHOLD, "threshold": True}, "threshold"),
    ("THRESHOLD", {**THRESHOLD, "threshold": []}, "threshold"),
    ("THRESHOLD", {**THRESHOLD, "repeat": 1}, "repeat"),
])
def test_a_fault_names_its_field(kind: str, config: dict[str, Any], field: str) -> None:
    with pytest.raises(ScheduleFault) as fault:
        schedule_from_json(ScheduleType(kind), config)
    assert fault.value.field == field


@pytest.mark.parametrize("offset", [-OFFSET_DAYS_MAX, OFFSET_DAYS_MAX])
def test_an_offset_reaches_its_bound(offset: int) -> None:
    read = schedule_from_json(ScheduleType.ATTRIBUTE_DATE, {**DATE, "offset_days": offset})
    assert isinstance(read, AttributeDate)
    assert read.offset_days == offset


def test_a_threshold_is_crossed_only_when_it_comes_to_hold() -> None:
    schedule = Threshold("visits", Operator.AT_LEAST, Decimal(10), False)
    crossed = [schedule.crossed(Decimal(a), Decimal(b)) for a, b in ((9, 10), (10, 11), (8, 9), (11, 9))]
    assert crossed == [True, False, False, False]
