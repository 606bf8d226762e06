"""An export proves itself: to `verify-export`, and to a stranger's code written from the documentation."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from app.cli import export_journal, verify_export
from tests.api_balances.test_due_lots import advance
from tests.book import third_party
from tests.book.conftest import Shop, Tamper, seal_everything, violations


@pytest.fixture
def exported(lot_shop: Shop, tmp_path: Path) -> Path:
    """The export of a few entries of several kinds, with texts beyond ASCII."""
    lot_shop.give("10.5", description="Größe — ✓ 10:30")
    lot_shop.give("7")
    lot_shop.act("hold", amount="12", reference_id="trip-1")
    lot_shop.act("release", reference_id="trip-1")
    lot_shop.act("adjust", type="DEBIT", amount="20", allow_negative=True)
    seal_everything()
    path = tmp_path / "journal.jsonl"
    assert export_journal.main([str(path), "--organization", str(lot_shop.api.organization_id)]) == 0
    return path


def test_an_export_verifies_offline(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_export.main([str(exported)]) == 0
    assert "5 entries" in capsys.readouterr().out


def test_a_stranger_verifies_it_with_fifty_lines(exported: Path) -> None:
    assert third_party.verify(str(exported)) == 5
    assert len(Path(third_party.__file__).read_text().splitlines()) <= 50


def test_amounts_of_every_width_and_erased_texts_verify_too(lot_shop: Shop, tmp_path: Path) -> None:
    api = lot_shop.api
    wide = api.asset(lot_shop.program, "WEI", scale=18)
    most = "9" * 20 + "." + "9" * 18
    for amount in ("0." + "0" * 17 + "1", "99999999999999999998", "0.5"):
        lot_shop.act("adjust", asset_id=wide, type="CREDIT", amount=amount)
    lot_shop.act("adjust", api.participant("bob"), asset_id=wide, type="CREDIT", amount=most, description="é")
    assert api.delete(f"/v1/participants/{lot_shop.person}").status_code == 204
    seal_everything()
    path = tmp_path / "journal.jsonl"
    assert export_journal.main([str(path), "--organization", str(api.organization_id)]) == 0
    assert verify_export.main([str(path)]) == 0
    assert third_party.verify(str(path)) == 4
    shown = [json.loads(line)["postings"][1]["amount"] for line in path.read_text().splitlines()[1:]]
    assert shown == ["0." + "0" * 17 + "1", "99999999999999999998", "0.5", most]


@pytest.mark.parametrize(("field", "value"), [
    ("action_type", "DEBIT"), ("created_at", "2020-01-01T00:00:00Z"), ("description", "something else"),
    ("rule_id", "8f14e45f-ceea-467f-9a36-dedd4bea2543"), ("entry_hash", "00" * 32),
])
def test_a_changed_field_is_found(exported: Path, field: str, value: str) -> None:
    change(exported, 2, {field: value})
    assert verify_export.main([str(exported)]) == 1
    with pytest.raises(AssertionError):
        third_party.verify(str(exported))


def test_a_changed_amount_is_found(exported: Path) -> None:
    lines = exported.read_text().splitlines()
    entry = json.loads(lines[3])
    for posting in entry["postings"]:
        posting["amount"] = str(2 * float(posting["amount"]))
    change(exported, 3, entry)
    assert verify_export.main([str(exported)]) == 1


def test_missing_lines_are_found_wherever_they_stood(exported: Path) -> None:
    whole = exported.read_text().splitlines()
    for place in (1, 3, len(whole) - 1):
        exported.write_text("\n".join(whole[:place] + whole[place + 1:]) + "\n")
        assert verify_export.main([str(exported)]) == 1


def test_the_expected_head_may_be_given_from_elsewhere(exported: Path) -> None:
    head = json.loads(exported.read_text().splitlines()[0])["head"]
    assert verify_export.main([str(exported), "--head", head]) == 0
    assert verify_export.main([str(exported), "--head", "00" * 32]) == 1


def change(path: Path, number: int, fields: dict[str, object]) -> None:
    """Change fields of one line."""
    lines = path.read_text().splitlines()
    lines[number] = json.dumps({**json.loads(lines[number]), **fields}, ensure_ascii=False)
    path.write_text("\n".join(lines) + "\n")


def test_the_report_shows_what_holds(lot_shop: Shop) -> None:
    for _ in range(3):
        lot_shop.give("5")
    fresh = lot_shop.api.get("/v1/reports/integrity").json
    assert fresh["all_passed"] is True
    assert fresh["chain_head"] is None
    seal_everything()
    report = lot_shop.api.get("/v1/reports/integrity", window=2).json
    assert report["organization_id"] == str(lot_shop.api.organization_id)
    assert report["all_passed"] is True
    assert report["window"] == 2
    assert report["chain_head"]["sequence_number"] == 3
    assert report["hash_chain"] == {
        "pass": True, "violation_count": 0, "entries_verified": 2, "anchored_at_genesis": False
    }
    assert report["postings_balanced"] == {"pass": True, "violation_count": 0}
    assert lot_shop.api.get("/v1/reports/integrity").json["hash_chain"]["anchored_at_genesis"] is True


def test_the_report_counts_what_does_not_hold(lot_shop: Shop, tamper: Tamper) -> None:
    entry = lot_shop.give("5")["journal_entry_id"]
    seal_everything()
    tamper(f"UPDATE postings SET amount = 6 WHERE entry_id = '{UUID(entry)}' AND line = 2")
    report = lot_shop.api.get("/v1/reports/integrity").json
    assert report["all_passed"] is False
    assert report["hash_chain"]["violation_count"] == 1
    assert report["postings_balanced"]["violation_count"] == 1


def test_entries_that_stay_unsealed_are_counted(lot_shop: Shop, tamper: Tamper) -> None:
    lot_shop.give("5")
    tamper("UPDATE clock SET ahead = interval '61 seconds'")  # Without triggers: nobody notes the move.
    report = lot_shop.api.get("/v1/reports/integrity").json
    assert report["unsealed_entries"] == {"pass": False, "violation_count": 1}
    seal_everything()
    assert lot_shop.api.get("/v1/reports/integrity").json["all_passed"] is True


def test_a_test_clock_that_jumps_makes_nothing_late(lot_shop: Shop, tamper: Tamper) -> None:
    """What was posted a moment before looks an hour old; the sealer has its minute after the jump."""
    lot_shop.give("5")
    advance(3600)
    assert lot_shop.api.get("/v1/reports/integrity").json["all_passed"] is True
    assert "unsealed_entries" not in violations()
    tamper("UPDATE clock SET ahead = ahead + interval '61 seconds'")
    assert lot_shop.api.get("/v1/reports/integrity").json["all_passed"] is False
    assert "unsealed_entries" in violations()
