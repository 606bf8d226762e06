"""The peer of bench/ledger: the same transfer, one a commit, through django-hordak, in an environment apart.

    python hordak_peer.py DATABASE_URL ACCOUNTS NUMBER COPIES

It is one of so many clients; number 0 makes the accounts, and the others find them. It reads lines of "plain
SECONDS" or "checked SECONDS", transfers for so long, and answers each with JSON. A plain transfer writes what
it is told; a checked one first makes sure, as ours always does, that the giver has as much, which takes a
lock and a look at the balance.
"""

import json
import sys
import time
from urllib.parse import urlsplit

import django
from django.conf import settings


def make_accounts(accounts: int) -> None:
    """Migrate, and make accounts with a balance."""
    from django.core.management import call_command
    from hordak.models import Account, AccountType
    from moneyed import Money

    call_command("migrate", verbosity=0)
    bank = Account.objects.create(name="B", code="B", type=AccountType.asset, currencies=["EUR"])
    for n in range(accounts):
        person = Account.objects.create(
            name=f"A{n}", code=str(n), type=AccountType.liability, currencies=["EUR"]
        )
        bank.transfer_to(person, Money("1000000", "EUR"))


def main() -> None:
    """Transfer for as long as each line says, each client from a place of its own."""
    accounts, number, copies = map(int, sys.argv[2:])
    parts = urlsplit(sys.argv[1])
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DATABASES={"default": {
            "ENGINE": "django.db.backends.postgresql", "NAME": parts.path.strip("/"), "HOST": parts.hostname,
            "PORT": parts.port, "USER": parts.username, "PASSWORD": parts.password or "",
        }},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True, SECRET_KEY="bench",
        DEFAULT_CURRENCY="EUR", CURRENCIES=["EUR"], HORDAK_DECIMAL_PLACES=2, HORDAK_MAX_DIGITS=20,
    )
    django.setup()
    from django.db import transaction
    from hordak.models import Account, AccountType
    from moneyed import Money

    if number == 0:
        make_accounts(accounts)
    people = list(Account.objects.filter(type=AccountType.liability).order_by("pk"))
    one = Money("1", "EUR")
    done = number * accounts // copies
    print(json.dumps({"accounts": accounts}), flush=True)
    for line in sys.stdin:
        kind, _, seconds = line.partition(" ")
        first, started, cpu = done, time.perf_counter(), time.process_time()
        while time.perf_counter() - started < float(seconds):
            giver, taker = people[7 * done % accounts], people[(7 * done + 1) % accounts]
            if kind == "checked":
                with transaction.atomic():
                    giver = Account.objects.select_for_update(no_key=True).get(pk=giver.pk)
                    assert abs(giver.get_simple_balance()["EUR"].amount) >= one.amount
                    giver.transfer_to(taker, one)
            else:
                # It is a transaction by itself; within another it would be a savepoint, at two more trips.
                giver.transfer_to(taker, one)
            done += 1
        print(json.dumps({
            "transfers_per_second": (done - first) / (time.perf_counter() - started),
            "cpu_us": (time.process_time() - cpu) / (done - first) * 1e6,
        }), flush=True)


if __name__ == "__main__":
    main()
