"""The hash chain and the verifier of exports, against a second telling of what is hashed."""

import copy
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from app.ledger.export import FAULTS_MAX, verify

ORGANIZATION, ASSET = str(UUID(int=1)), str(UUID(int=2))
SALT = b"\x07" * 16
# As docs/explanation/ledger.md has them, not as the code does.
VERSION, GENESIS = "florin-journal-1", "0" * 64
Lines = list[dict[str, Any]]


def hashed_texts(description: str | None, reference: str | None) -> str:
    """Salt, then each text framed by its length in bytes."""
    framed = SALT
    for text in (description, reference):
        framed += b"-" if text is None else f"{len(text.encode())}:".encode() + text.encode()
    return hashlib.sha256(framed).hexdigest()


def seal(line: dict[str, Any], previous: str, version: str) -> None:
    """Write the hash of a line over the canonical text as the documentation has it."""
    at = datetime.fromisoformat(line["created_at"]).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    names = ("program_id", "asset_id", "action_type", "event_seq", "rule_id", "api_key_id")
    fields = [version, previous, line["sequence_number"], ORGANIZATION, line["id"]]
    fields += [line[name] for name in names] + [at, line["text_hash"]]
    texts = ["-" if each is None else str(each) for each in fields]
    texts += [
        f"{p['line']} {p['account_id']} {p['owner_type']} {p['owner_id']} {p['bucket']} {p['amount']}"
        for p in line["postings"]
    ]
    line["entry_hash"] = hashlib.sha256(("\n".join(texts) + "\n").encode()).hexdigest()


def exported() -> Lines:
    """Three entries: one with all its fields, one with none, one with a half-told text."""
    lines: Lines = [{"format": VERSION, "organization_id": ORGANIZATION, "entries": 3, "head": None}]
    previous = GENESIS
    told = [(("Käufe", "r-1"), 9), ((None, None), None), (("Gift", None), None)]
    for place, (texts, rest) in enumerate(told, 1):
        line: dict[str, Any] = {
            "sequence_number": place, "id": str(UUID(int=10 + place)), "asset_id": ASSET,
            "action_type": "CREDIT", "program_id": rest and str(UUID(int=3)), "event_seq": rest,
            "rule_id": rest and str(UUID(int=4)),
            "api_key_id": rest and str(UUID(int=5)), "created_at": f"2026-01-0{place}T10:00:00.000001+00:00",
            "description": texts[0], "reference_id": texts[1], "salt": SALT.hex(),
            "text_hash": None if texts == (None, None) else hashed_texts(*texts),
            "postings": [
                {"line": number, "account_id": number, "owner_type": "PARTICIPANT",
                 "owner_id": str(UUID(int=6)), "bucket": "AVAILABLE", "amount": amount}
                for number, amount in ((1, "1.5"), (2, "-1.5"))
            ],
        }  # fmt: skip
        seal(line, previous, VERSION)
        previous = line["entry_hash"]
        lines.append(line)
    lines[0]["head"] = previous
    return lines


def test_what_was_sealed_by_another_hand_verifies() -> None:
    lines = exported()
    verdict = verify(lines)
    assert (verdict.examples, verdict.faults, verdict.entries) == ([], 0, 3)
    assert verdict.head == lines[-1]["entry_hash"]


def test_an_empty_journal_verifies_and_nothing_at_all_does_not() -> None:
    head = exported()[0]
    assert verify([{**head, "entries": 0, "head": None}]).faults == 0
    assert verify([]).faults == 1
    assert verify([{**head, "format": "other"}]).faults == 1


CHANGES: dict[str, tuple[Callable[[Lines], object], str]] = {
    "program": (lambda s: s[1].update(program_id=None), "not what was sealed"),
    "asset": (lambda s: s[1].update(asset_id=str(UUID(int=9))), "not what was sealed"),
    "action": (lambda s: s[1].update(action_type="DEBIT"), "not what was sealed"),
    "event": (lambda s: s[1].update(event_seq=8), "not what was sealed"),
    "rule": (lambda s: s[1].update(rule_id=None), "not what was sealed"),
    "key": (lambda s: s[1].update(api_key_id=None), "not what was sealed"),
    "instant": (lambda s: s[1].update(created_at="2026-01-01T10:00:00.000002+00:00"), "not what was sealed"),
    "owner": (lambda s: s[2]["postings"][0].update(owner_id=ASSET), "not what was sealed"),
    "bucket": (lambda s: s[2]["postings"][0].update(bucket="HELD"), "not what was sealed"),
    "amount": (lambda s: s[2]["postings"][0].update(amount="2.5"), "its postings sum to 1"),
    "description": (lambda s: s[1].update(description="Kaufe"), "its texts do not fit"),
    "reference": (lambda s: s[3].update(reference_id="r-2"), "its texts do not fit"),
    "missing entry": (lambda s: s[2].update(missing=True), "the sealed entry is missing"),
    "missing line": (lambda s: s.pop(2), "follows place 1"),
    "missing end": (lambda s: s.pop(), "the head says 3 entries"),
    "head": (lambda s: s[0].update(head="00" * 32), "the head says 3 entries"),
    "unreadable": (lambda s: s[2].pop("postings"), "cannot be read"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_found_and_named(name: str) -> None:
    change, reason = CHANGES[name]
    lines = copy.deepcopy(exported())
    change(lines)
    verdict = verify(lines)
    assert verdict.faults
    assert [each for each in verdict.examples if reason in each]


def test_erased_texts_are_no_fault_and_many_faults_are_counted_but_not_all_told() -> None:
    lines = exported()
    lines[1].update(description=None, reference_id=None)
    assert verify(lines).faults == 0
    broken = [lines[0], *({"sequence_number": n} for n in range(FAULTS_MAX + 5))]
    verdict = verify(broken)
    assert verdict.faults > FAULTS_MAX
    assert len(verdict.examples) == FAULTS_MAX
