"""The dialect, as a table: expression and what it gives on the sample event (or the kind of its error)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from app.engine.cel import (
    CelCompileError,
    CelEvaluationError,
    ErrorKind,
    Kind,
    compile,
)
from tests.cel.sample import NOW, activation

D = Decimal
MISSING, TYPE, DIVISION = ErrorKind.MISSING, ErrorKind.TYPE, ErrorKind.DIVISION
RANGE, VALUE, LIMIT = ErrorKind.RANGE, ErrorKind.VALUE, ErrorKind.LIMIT

NUMBERS: list[tuple[str, Any]] = [
    # Data carries decimals, whichever way JSON wrote them.
    ("event.quantity == 3.0", True),
    ("event.whole == 150", True),
    ("150 == event.whole", True),
    ("event.whole in [150, 200]", True),
    ("event.quantity in [3.0]", True),
    ("event.quantity in event.scores", True),
    ("2 in event.scores", False),
    ("event.amount > 100", True),
    ("100 < event.amount", True),
    ("event.amount * 10", D("1499.50")),
    ("10 * event.amount", D("1499.50")),
    ("event.quantity * 5.0", D("15.0")),
    ("0.1 + 0.2 == 0.3", True),
    ("event.amount - 149", D("0.95")),
    ("-event.amount", D("-149.95")),
    ("type(event.quantity) == type(event.amount)", True),
    ("type(event.quantity) == double", True),
    ("type(1) == int && type(size(event.tags_or([]))) == int", CelCompileError),
    ("type(size(event.items)) == int", True),
    # Division is decimal, unless the expression itself makes both sides ints.
    ("event.quantity / 2", D("1.5")),
    ("3 / event.quantity", D("1")),
    ("7 / 2", 3),
    ("-7 / 2", -3),
    ("7 / 2.0", D("3.5")),
    ("size(event.items) / 2", 1),
    ("int(event.quantity) / 2", 1),
    ("event.quantity / size(event.items)", D("1")),
    ("(true ? 7 : 8) / 2", 3),
    ("[7, 9].map(n, n / 2)", [3, 4]),
    ("event.scores.map(n, n / 2)", [D("0.5"), D("1.25"), D("1.5")]),
    ("1.0 / 3.0", D("0.3333333333333333333333333333333333")),
    ("2.0 / 3.0", D("0.6666666666666666666666666666666667")),
    ("1 / 0", DIVISION),
    ("event.amount / event.zero", DIVISION),
    ("event.amount / 0", DIVISION),
    ("event.quantity % 0", DIVISION),
    # Modulus takes whole numbers and has the sign of the dividend.
    ("event.quantity % 2", 1),
    ("event.whole % 7", 3),
    ("-7 % 3", -1),
    ("event.amount % 2", VALUE),
    # Ints of the expression have 64 bits, numbers of data do not.
    ("9223372036854775807 + 1", RANGE),
    ("-9223372036854775808 - 1", RANGE),
    ("9223372036854775807 * event.quantity", D("27670116110564327421")),
    ("int(event.amount)", 149),
    ("int(-1.9)", -1),
    ('double(event.price_text) + 0.01', D("50.00")),
    ('double("abc")', VALUE),
    ('double("NaN")', VALUE),
    ("1u + 2u == 3u", True),
    ("1u - 2u", RANGE),
    # Rounding.
    ("round(2.5)", D("3")),
    ("round(-2.5)", D("-3")),
    ("round(event.amount * 0.03, 2)", D("4.50")),
    ("round(0.5 * 0.03, 2)", D("0.02")),
    ("round(1.005, 2)", D("1.01")),
    ("round_even(2.5)", D("2")),
    ("round_even(0.125, 2)", D("0.12")),
    ("round(1250, -2)", D("1.3E+3")),
    ("round(event.amount, 31)", VALUE),
    ("floor(-1.5)", D("-2")),
    ("ceil(1.2)", D("2")),
    ("abs(-event.amount)", D("149.95")),
    ("abs(-7) / 2", 3),
    ("min(event.amount, 100)", 100),
    ("max(event.scores)", 3),
    ("max(1, 2) / 2", 1),
    ("min([])", VALUE),
    ("clamp(event.amount, 0, 100)", 100),
    ("clamp(1, 3, 2)", VALUE),
    ("sum(event.scores)", D("6.5")),
    ("sum(event.items.map(i, i.quantity))", D("8")),
    ("math.greatest(1, 2.5)", D("2.5")),
    ("math.sign(-3.2)", -1),
    ("math.trunc(-3.7)", D("-3")),
    # Numbers as texts: shortest plain notation.
    ("string(event.amount)", "149.95"),
    ("string(event.whole)", "150"),
    ("string(1e21)", "1000000000000000000000"),
    ("string(0.10 * 3)", "0.3"),
    ("string(1e-7)", "0.0000001"),
]  # fmt: skip

ABSENCE: list[tuple[str, Any]] = [
    ("event.nope", MISSING),
    ("event.nope > 3", MISSING),
    ("event.nope.deeper", MISSING),
    ("has(event.nope)", False),
    ("has(event.note)", True),
    ("has(event.nested.a.b)", True),
    ("has(event.nope.x)", MISSING),
    ("event.note == null", True),
    ("event.note > 3", TYPE),
    ("has(event.coupon) && event.coupon == 'SUMMER26'", True),
    ("event.nope == 1 || event.quantity == 3", True),
    ("event.quantity == 3 || event.nope == 1", True),
    ("event.nope == 1 && event.quantity == 4", False),
    ("event.nope == 1 && event.quantity == 3", MISSING),
    ("event.nope == 1 ? 1 : 2", MISSING),
    ("true ? 1 : event.nope", 1),
    ("event.items.exists(i, i.price > 20)", True),
    ("event.items.exists(i, i.price > 30)", MISSING),
    ("event.items.all(i, i.price > 30)", False),
    ("event.items.all(i, i.price > 1)", MISSING),
    ("event.items.exists_one(i, i.quantity == 5)", True),
    ("event.items.exists_one(i, i.price > 20)", MISSING),
    ("event.items.filter(i, has(i.price)).size()", 2),
    ("event.items.map(i, has(i.price), i.price)", [D("25.00"), 3]),
    ("event.empty.all(i, i.nope)", True),
    ("event.empty.exists(i, i.nope)", False),
    ("event.items[0].sku", "A-1"),
    ("event.items[3].sku", MISSING),
    ("event.items[-1]", MISSING),
    ("event.items[0.5]", VALUE),
    ("event['odd key']", 1),
    ("event['type'] == event.type", True),
    ("recipient == null", True),
    ("recipient.id", MISSING),
    ("has(recipient.id)", MISSING),
    ("recipient != null && recipient.id == 'x'", False),
    ("get(participant.counters, 'purchases', 0.0) >= 10.0", True),
    ("get(participant.counters, 'nope', 0.0)", D("0.0")),
    ("get(event, 'nope', event.quantity)", 3),
    ("get(event.note, 'x', 7)", 7),
    ("get(event.type, 'x', 7)", TYPE),
    ("event.type.x", TYPE),
    ("event.scores.x", TYPE),
    ("event.note in event.mixed", True),
]

TEXTS_AND_SETS: list[tuple[str, Any]] = [
    ('"vip" in participant.tags', True),
    ('"gold" in participant.tags', False),
    ('"purchases" in participant.counters', True),
    ('sets.contains(participant.tags, ["vip"])', True),
    ('sets.contains(participant.tags, ["vip", "gold"])', False),
    ('sets.intersects(participant.tags, ["gold", "beta"])', True),
    ('sets.equivalent(participant.tags, ["beta", "vip", "vip"])', True),
    ("sets.contains([1, 2, 3], [3.0, 1u])", True),
    ("sets.equivalent([], [])", True),
    ("sets.intersects(event.scores, [2.5])", True),
    ("'a' + 'b' == 'ab'", True),
    ("event.sku + '!'", "C-3!"),
    ("event.sku + 1", TYPE),
    ("event.coupon.startsWith('SUMMER') && event.coupon.endsWith('26')", True),
    ("event.email.contains('@example.')", True),
    (r"event.email.matches('^[a-z.]+@[a-z]+\\.com$')", True),
    ("event.email.matches('^x')", False),
    ("event.quantity.startsWith('3')", TYPE),
    ("size('πέντε')", 5),
    ("'πέντε'.charAt(1)", "έ"),
    ("event.sku.split('-')", ["C", "3"]),
    ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
    ("'abc'.split('')", ["a", "b", "c"]),
    ("participant.tags.join('|')", "vip|beta"),
    ("event.mixed.join(',')", TYPE),
    ("'Ab'.lowerAscii() + 'Ab'.upperAscii()", "abAB"),
    ("' x '.trim()", "x"),
    ("'abc'.reverse()", "cba"),
    ("'hello'.substring(1, 3)", "el"),
    ("'hello'.indexOf('l') + 'hello'.lastIndexOf('l')", 5),
    ("'aXbX'.replace('X', '-', 1)", "a-bX"),
    ("'%s has %d and %.2f'.format([participant.id, event.quantity, event.amount])", "p-1 has 3 and 149.95"),
    ("'%d'.format([event.amount])", VALUE),
    ("'%.1f %.1f'.format([0.25, 0.35])", "0.2 0.4"),
    ("'%s'.format([event.nested])", "{a: {b: {c: deep}}}"),
    ("'%e'.format([0])", "0.000000e+00"),
    ("'%b %x'.format([event.quantity, 255])", "11 ff"),
    ("strings.quote('a\"b')", '"a\\"b"'),
    ("participant.tiers.loyalty.rank >= 2", True),
    ("participant.balances.PTS.available", D("100")),
]

TIME: list[tuple[str, Any]] = [
    ("now", NOW),
    ("now() == now", True),
    ("now < timestamp('2026-09-01T00:00:00Z')", True),
    ("timestamp(event.at) == now", True),
    ("timestamp('2026-07-10T19:45:12+02:00') == now", True),
    ("now - participant.created_at == duration('9600h')", True),
    ("now - participant.created_at > duration('720h')", True),
    ("now + duration('24h') > now", True),
    ("now.getHours()", 17),
    ("now.getHours('Europe/Berlin')", 19),
    ("now.getHours('+05:30')", 23),
    ("now.getDayOfWeek()", 5),
    ("now.getMonth()", 6),
    ("now.getDate()", 10),
    ("now.getDayOfMonth()", 9),
    ("now.getDayOfYear()", 190),
    ("now.getFullYear()", 2026),
    ("now.getHours(participant.attributes.country)", VALUE),
    ("dateIn(now, 'Pacific/Auckland')", "2026-07-11"),
    ("now.dateIn('UTC')", "2026-07-10"),
    ("dateIn(now, 'Europe/Berlin').substring(5) == participant.attributes.birthday", False),
    ("duration('1h30m').getMinutes()", 90),
    ("duration('-1.5s') < duration('0s')", True),
    ("string(duration('90m'))", "5400s"),
    ("string(now)", "2026-07-10T17:45:12Z"),
    ("int(timestamp(0))", 0),
    ("timestamp(1783705512) == now", True),
    ("duration('1h') + duration('30m')", dt.timedelta(minutes=90)),
    ("timestamp(event.type)", VALUE),
    ("now + 1", TYPE),
    ("event.at > now", TYPE),
    ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", RANGE),
]

EQUALITY: list[tuple[str, Any]] = [
    ("event.quantity == '3'", False),
    ("event.vip == 1", False),
    ("1 == event.vip", False),
    ("event.vip == true", True),
    ("true == event.vip", True),
    ("event.vip in [1]", False),
    ("1 in [event.vip]", False),
    ("event.mixed[2] in event.mixed", True),
    ("event.mixed[0] == event.mixed[2]", False),
    ("event.nested == {'a': {'b': {'c': 'deep'}}}", True),
    ("event.scores == [1.0, 2.5, 3]", True),
    ("event.scores == [true, 2.5, 3]", False),
    ("[1, 'a', null] == [1.0, 'a', null]", True),
    ("{'a': 1} == {'a': 1.0}", True),
    ("{1: 'a'}[1.0]", "a"),
    ("{true: 'a'}[1]", MISSING),
    ("{1: 'a', 1u: 'b'}", VALUE),
    ("{event.amount: 1}", TYPE),
    ("event.scores != event.scores", False),
    ("'a' < 'b' && false < true", True),
    ("event.sku < 3", TYPE),
    ("[1] + ['a'] == [1, 'a']", True),
    ("event.scores + [4]", [1, D("2.5"), 3, 4]),
    ("dyn(1) == 1.0", True),
    ("type(event.items) == list && type(event.nested) == map && type(null) == null_type", True),
    ("type(now) == google.protobuf.Timestamp", True),
]

TABLE = NUMBERS + ABSENCE + TEXTS_AND_SETS + TIME + EQUALITY


@pytest.mark.parametrize(("text", "wanted"), TABLE, ids=[text for text, _ in TABLE])
def test_an_expression_gives_what_the_dialect_says(text: str, wanted: Any) -> None:
    data = activation()
    if wanted is CelCompileError:
        with pytest.raises(CelCompileError):
            compile(text, Kind.VALUE)
        return
    program = compile(text, Kind.VALUE)
    explained = program.explain(data)
    if isinstance(wanted, ErrorKind):
        with pytest.raises(CelEvaluationError) as caught:
            program.evaluate(data)
        assert caught.value.kind is wanted
        assert isinstance(explained.error, CelEvaluationError)
        assert explained.error.kind is wanted
        return
    value = program.evaluate(data)
    assert value == wanted
    assert (value.__class__ is bool) == (wanted.__class__ is bool)
    assert explained.error is None
    assert explained.value == value
    assert data == activation(), "an evaluation must not change the data"


def test_an_amount_is_always_a_decimal() -> None:
    for text, wanted in [
        ("100", D(100)),
        ("event.quantity * 10", D(30)),
        ("size(event.items)", D(3)),
        ("7 / 2", D(3)),
    ]:
        value = compile(text, Kind.AMOUNT).evaluate(activation())
        assert value.__class__ is Decimal
        assert value == wanted


def test_an_amount_that_is_no_number_is_a_type_error() -> None:
    with pytest.raises(CelEvaluationError) as caught:
        compile("event.type", Kind.AMOUNT).evaluate(activation())
    assert caught.value.kind is TYPE


def test_a_condition_that_is_neither_true_nor_false_is_a_type_error() -> None:
    with pytest.raises(CelEvaluationError) as caught:
        compile("event.quantity", Kind.CONDITION).evaluate(activation())
    assert caught.value.kind is TYPE


def test_a_variable_that_the_caller_did_not_set_is_null() -> None:
    program = compile("recipient == null && event.a == 1", Kind.CONDITION)
    assert program.evaluate({"event": {"a": 1}}) is True


def test_a_text_kind_yields_text_only() -> None:
    assert compile("'ref-' + event.sku", Kind.STRING).evaluate(activation()) == "ref-C-3"
    with pytest.raises(CelEvaluationError):
        compile("event.quantity", Kind.STRING).evaluate(activation())


def test_a_float_in_the_data_is_refused_rather_than_rounded() -> None:
    with pytest.raises(CelEvaluationError) as caught:
        compile("event.a * 2", Kind.AMOUNT).evaluate({"event": {"a": 0.1}})
    assert caught.value.kind is TYPE
