"""The reference of webhooks says what the code does: every type, code, status and figure."""

from pathlib import Path

from app.domain import webhooks
from app.domain.names import WebhookType
from app.domain.webhook_addresses import LOCAL_NAMES
from app.domain.webhooks import DeliveryError, DeliveryStatus

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/reference/webhooks.md").read_text(encoding="utf-8")


def rows(header: str) -> list[list[str]]:
    """Return the cells of the table whose first header cell this is."""
    lines = TEXT.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {header} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return found
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_every_type_code_and_status_has_its_row_and_no_other_has() -> None:
    assert {row[0].strip("`") for row in rows("type")} == set(WebhookType)
    assert {row[0].strip("`") for row in rows("`error_code`")} == set(DeliveryError)
    assert {row[0].strip("`") for row in rows("status of a delivery")} == set(DeliveryStatus)


def test_the_schedule_is_the_one_in_force() -> None:
    units = {"s": 1, "min": 60, "h": 3600}
    (cells,) = rows("attempt")
    delays = [int(number) * units[unit] for number, unit in (cell.split() for cell in cells[2:])]
    assert tuple(delays) == webhooks.RETRY_SECONDS


def test_the_figures_are_those_of_the_code() -> None:
    for words in (
        f"within {webhooks.SEND_SECONDS:g} seconds",
        f"At most {webhooks.IN_FLIGHT_PER_ENDPOINT_MAX} deliveries",
        f"with {webhooks.IN_FLIGHT_AT_FIRST},", f"{webhooks.LEASE.seconds} seconds after",
        f"for {webhooks.CIRCUIT_SECONDS_MIN} seconds", f"| {webhooks.ENDPOINTS_MAX} |",
        f"{webhooks.RETENTION.days} days", f"{webhooks.OVERLAP_SECONDS_MAX:,}",
        f"{webhooks.URL_LENGTH_MAX:,} characters", f"less than {webhooks.DEGRADED_BELOW}",
        f'"api_version": "{webhooks.API_VERSION}"',
        *(f"`{name}`" for name in LOCAL_NAMES),
    ):
        assert words in TEXT, words
