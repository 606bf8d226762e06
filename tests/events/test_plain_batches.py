"""The short way of reading a batch takes nothing that the exact way refuses, and reads the same in it."""

import json
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api import batches, plain_batches
from app.api.models.events import EventBatch
from app.domain.errors import DomainError
from app.domain.events import BATCH_EVENTS_MAX
from app.domain.instants import InstantError, format_instant, parse_instant, reprint_instant

PROGRAM = "8f14e45f-ceea-467f-9a36-dedd4bea2543"
PERSON = "0b5eb62c-4c9e-4c2c-93a1-2b6a3c9f0e11"
AT = "2026-03-01T12:00:00Z"
_exactly = batches.reader("events")


def item(data: Any = None, **fields: Any) -> dict[str, Any]:
    """An event of the usual shape, with other fields or without those that are left out by `...`."""
    usual = {
        "program_id": PROGRAM, "external_id": "ann", "idempotency_key": "k", "event_timestamp": AT,
        "event_data": {"type": "purchase", "amount": 49.99} if data is None else data,
    }
    return {name: value for name, value in {**usual, **fields}.items() if value is not ...}


def text_of(*items: Any, **more: Any) -> bytes:
    """The body of a request."""
    return json.dumps({"events": items, **more}).encode()


def check_against_the_exact_way(raw: bytes) -> bool:
    """Say whether a body is plain; if so, the exact way takes it too and reads the same."""
    plain = plain_batches.read(raw)
    if plain is None:
        return False
    exact = EventBatch.model_validate(_exactly(raw)).events
    assert not any(isinstance(each, DomainError) for each in exact)
    assert plain.batch.text.encode() == raw
    assert set(plain.batch.programs) == {each.program_id for each in exact}
    assert plain.batch.ids == [str(uuid5(each.program_id, each.idempotency_key)) for each in exact]
    assert plain.batch.instants == [format_instant(each.event_timestamp) for each in exact]
    for each, answer in zip(exact, plain.answers, strict=True):
        assert each.recipient_id is None
        assert each.recipient_external_id is None
        shown = {
            "id": str(uuid5(each.program_id, each.idempotency_key)), "program_id": each.program_id,
            "participant_id": None, "external_id": each.external_id,
            "idempotency_key": each.idempotency_key,
            "event_timestamp": format_instant(each.event_timestamp), "status": "RECEIVED",
        }
        if each.external_id is None:
            del shown["external_id"]
        assert list(answer.items()) == list(shown.items())
    return True


@pytest.mark.parametrize("raw", [
    text_of(item()), text_of(*[item(idempotency_key=f"k{n}") for n in range(BATCH_EVENTS_MAX)]),
    text_of(item(program_id=PROGRAM.upper())), text_of(item(external_id=..., participant_id=PERSON)),
    text_of(item(participant_id=None, recipient_id=None)),
    text_of(item(external_id="J\u00f6rg \u2603 \U0001f600")),
    text_of(item(event_timestamp="2026-03-01t13:00:00.5+01:00")),
    text_of(item({"zero": 0.0, "less": -0.0, "large": 1e90, "small": 1e-90, "digits": 10**59})),
    text_of(item({"deep": {"list": [1, {"a": []}, None, True]}})),
    json.dumps({"events": [item()]}, indent=2).encode(), json.dumps({"events": [item()]}).encode("utf-8"),
    json.dumps({"events": [item({"quoted": 'a" : "b', "line": "a\nb"})]}, ensure_ascii=False).encode(),
    text_of(item({"dashes": "-" * 80})), text_of(*[item({"text": "x" * 60_000})] * 3),
])
def test_what_has_the_usual_shape_is_plain(raw: bytes) -> None:
    assert check_against_the_exact_way(raw)


DEEP: dict[str, Any] = {}
for _ in range(32):
    DEEP = {"in": DEEP}


@pytest.mark.parametrize("raw", [
    b"", b"[]", b"{}", b"\xff", text_of(), text_of(*[item()] * (BATCH_EVENTS_MAX + 1)),
    text_of(item(), more=1),
    text_of(None), text_of("fives"), text_of([1, 2, 3, 4, 5]), text_of({}), text_of(item(), 1),
    text_of(item(program_id="x")), text_of(item(program_id=[])), text_of(item(program_id=None)),
    text_of(item(idempotency_key="")), text_of(item(idempotency_key="k" * 256)),
    text_of(item(idempotency_key="system:k")), text_of(item(idempotency_key="a\nb")),
    text_of(item(idempotency_key=1)), text_of(item(external_id="")), text_of(item(external_id="a" * 256)),
    text_of(item(external_id="a\x7f")), text_of(item(external_id=None)), text_of(item(external_id=...)),
    text_of(item(participant_id=PERSON)), text_of(item(external_id=..., participant_id="x")),
    text_of(item(recipient_id=PERSON)), text_of(item(recipient_external_id="bob")),
    text_of(item(event_timestamp="2026-02-30T12:00:00Z")), text_of(item(event_timestamp=1)),
    text_of(item(event_timestamp=["2"] * 20)), text_of(item([])), text_of(item("text")), text_of(item(DEEP)),
    text_of(item(unknown=1)), text_of(item(unknown=None)), text_of(item({"text": "\x00"})),
    text_of(item({"text": "\ud800"})), text_of(item({"\x00": 1})), text_of(item({"n": 10**60})),
    text_of(item({"text": "x" * 70_000})), text_of(item({"n": "here"})).replace(b'"here"', b"1e-400"),
    text_of(item({"n": "here"})).replace(b'"here"', b"1e100"),
    text_of(item({"n": "here"})).replace(b'"here"', b"NaN"),
    text_of(item({"n": "here"})).replace(b'"here"', b"1." + b"0" * 59),
    text_of(item({"n": "here"})).replace(b'"n"', b'"n": 1, "n"'),
    text_of(item({"n": "here"})).replace(b'"n": "here"', b'"n" : {"a" \n: 1, "a"\t:2}'),
    text_of(item()).replace(b'"external_id"', b'"external_id": "bob", "external_id"'),
    b"\xef\xbb\xbf" + text_of(item()),
])
def test_what_may_be_refused_is_not_plain(raw: bytes) -> None:
    assert plain_batches.read(raw) is None


_TEXTS = st.text(max_size=8) | st.sampled_from((PROGRAM, PERSON, AT, "system:x", "k" * 255, 'a":', '" :', ""))
_NUMBERS = st.integers() | st.floats() | st.sampled_from((10**59, 10**60, 1e-100, 1e100, 0.0))
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
_FIELDS = st.sampled_from((*EventBatch.model_fields, *item(), "participant_id", "recipient_id", "other"))
_PARTS = st.sampled_from((
    b'"', b":", b",", b" ", b"{", b"}", b"[", b"]", b"\\", b"e", b"-", b".", b"0" * 60, b"1e5", b"e-99",
    b"\\u0000", b"\\ud83d", b"\\ude00", b"\x00", b"\xc3", b"null", b'"a":1,', b'"a" :1,',
))


@given(
    changes=st.lists(st.dictionaries(_FIELDS, _VALUES, max_size=2), min_size=1, max_size=3),
    data=st.dictionaries(_TEXTS, _VALUES, max_size=4),
    spaces=st.sampled_from(((",", ":"), (", ", ": "), (" ,\n", "\t: "))), ascii_only=st.booleans(),
)
def test_random_batches_are_read_alike(
    changes: list[dict[str, Any]], data: dict[str, Any], spaces: tuple[str, str], ascii_only: bool
) -> None:
    items = [{**item(data, idempotency_key=f"k{n}"), **each} for n, each in enumerate(changes)]
    text = json.dumps({"events": items}, separators=spaces, ensure_ascii=ascii_only)
    check_against_the_exact_way(text.encode(errors="surrogatepass"))


@given(
    where=st.floats(0, 1), part=_PARTS, cut=st.integers(0, 12),
    data=st.dictionaries(_TEXTS, _VALUES, max_size=3),
)
def test_batches_with_a_scratch_are_read_alike(
    where: float, part: bytes, cut: int, data: dict[str, Any]
) -> None:
    raw = text_of(item(data), item(idempotency_key="l"))
    place = int(where * len(raw))
    check_against_the_exact_way(raw[:place] + part + raw[place + cut :])


@pytest.mark.parametrize("text", [
    AT, "2026-03-01T12:00:00.000Z", "2026-03-01T12:00:00.25Z", "1900-02-28T23:59:59Z", "2026-02-29T12:00:00Z",
    "2026-03-01T23:59:60Z", "2026-03-31 12:00:00+02:00", "1899-01-01T12:00:00Z", "text", "x" * 20,
])
def test_an_instant_is_reprinted_as_it_is_read(text: str) -> None:
    try:
        expected = format_instant(parse_instant(text))
    except InstantError:
        with pytest.raises(InstantError):
            reprint_instant(text)
    else:
        assert reprint_instant(text) == expected


@pytest.mark.parametrize("key", ["order-1", "J\u00f6rg", "\u2603\U0001f600", "k" * 255])
def test_ids_follow_from_program_and_key(key: str) -> None:
    plain = plain_batches.read(text_of(item(idempotency_key=key)))
    assert plain is not None
    assert plain.batch.ids == [str(uuid5(UUID(PROGRAM), key))]
