"""`dev.py report` prints what the API answers, and its check finds roll-ups that are wrong."""

import pytest

from app import db
from app.cli import export_journal, key, report
from app.cli.failure import Failure
from tests.api.client import ABSENT, Caller, new_caller
from tests.events.scene import PURCHASE, credit, open_scene
from tests.reports.conftest import roll_up_everything
from tests.reports.journal import Journal

WINDOW = ["--from", "2024-02-01T00:00:00Z", "--to", "2024-02-29T23:59:59.999999Z"]


@pytest.mark.parametrize("arguments", [
    ["ledger-summary", *WINDOW], ["program-activity"], ["liability", "--as-of", "2024-03-01T00:00:00Z"],
    ["liability-rollforward", *WINDOW],
])
def test_the_figures_are_those_of_the_api(
    journal: Journal, api: Caller, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.main(arguments) == 0
    printed = capsys.readouterr().out
    query = {"as_of": "2024-03-01T00:00:00Z", "by_bucket": "true"} if arguments[0] == "liability" else {}
    if WINDOW[0] in arguments:
        query = {"from_": WINDOW[1], "to": WINDOW[3]}
    rows = api.get(f"/v1/reports/{arguments[0]}", **query).json["data"]
    assert len(printed.splitlines()) == len(rows) + 1
    for row, line in zip(rows, printed.splitlines()[1:], strict=True):
        amounts = {value for value in row.values() if isinstance(value, str) and value.endswith("5")}
        assert amounts - {row.get("asset_id"), row.get("program_id")} <= set(line.split())


def test_the_check_tells_of_a_difference(journal: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    roll_up_everything()
    assert report.main(["check"]) == 0
    with db.transaction() as c:
        c.execute(
            "UPDATE report_cells SET entries = entries + 1 WHERE organization_id = %s AND grain = 'MONTH'",
            (journal.organization,),
        )
    assert report.main(["check"]) == 1
    assert "do NOT agree" in capsys.readouterr().out


def test_every_report_of_the_api_can_be_printed(
    journal: Journal, api: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {
        path.removeprefix("/v1/reports/") for path in api.get("/openapi.json").json["paths"]
        if path.startswith("/v1/reports/")
    }
    assert len(names) == 9
    more = {"deferred-revenue": ["--asset", str(journal.assets[0]), "--point-value", "0.01"]}
    for name in sorted(names):
        assert report.main([name, *WINDOW, *more.get(name, [])]) == 0
        assert capsys.readouterr().out.strip(), name
    with pytest.raises(Failure, match="--point-value"):
        report.main(["deferred-revenue", *WINDOW])


def test_rules_and_breakage_are_printed_with_their_figures(
    api: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = open_scene(api)
    scene.api.patch(f"/v1/assets/{scene.asset}", {"name": "Points"})
    scene.rule(PURCHASE, credit("7"), name="seven")
    scene.run()
    assert report.main(["rules"]) == 0
    [line] = [each for each in capsys.readouterr().out.splitlines() if "seven" in each]
    assert line.split()[-2:] == ["PTS", "7.00"]
    assert report.main(["integrity"]) == 0
    assert "value_conservation" in capsys.readouterr().out
    assert report.main(["breakage"]) == 0
    assert "Aalen-Johansen" in capsys.readouterr().out


def test_one_of_several_organizations_must_be_named(journal: Journal, api: Caller) -> None:
    other = new_caller(api.http)
    for command, arguments in ((report.main, ["liability"]), (export_journal.main, []), (key.main, ["list"])):
        with pytest.raises(Failure, match="Say which --organization") as refused:
            command(arguments)
        assert str(api.organization_id) in str(refused.value)
        with pytest.raises(Failure, match=f"There is no organization {ABSENT}"):
            command([*arguments, "--organization", ABSENT])
        assert command([*arguments, "--organization", str(other.organization_id)]) == 0
