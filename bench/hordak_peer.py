"""The peer of bench/ledger: the same transfer, one a commit, through django-hordak, in an environment apart.

    python hordak_peer.py DATABASE_URL

It reads lines of "plain SECONDS" or "checked SECONDS", transfers for so long, and answers each with JSON. A
plain transfer writes what it is told; a checked one first makes sure, as ours always does, that the giver has
as much, which takes a lock and a look at the balance.
"""

import json
import sys
import time
from urllib.parse import urlsplit

import django
from django.conf import settings

ACCOUNTS = 200


def main() -> None:
    """Migrate, make accounts with a balance, then transfer for as long as each line says."""
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
    from django.core.management import call_command
    from django.db import transaction
    from hordak.models import Account, AccountType
    from moneyed import Money

    call_command("migrate", verbosity=0)
    bank = Account.objects.create(name="B", code="B", type=AccountType.asset, currencies=["EUR"])
    people = [
        Account.objects.create(name=f"A{n}", code=str(n), type=AccountType.liability, currencies=["EUR"])
        for n in range(ACCOUNTS)
    ]
    for person in people:
        bank.transfer_to(person, Money("1000000", "EUR"))
    one = Money("1", "EUR")
    done = 0
    print(json.dumps({"accounts": ACCOUNTS}), flush=True)
    for line in sys.stdin:
        kind, _, seconds = line.partition(" ")
        first, started, cpu = done, time.perf_counter(), time.process_time()
        while time.perf_counter() - started < float(seconds):
            giver, taker = people[7 * done % ACCOUNTS], people[(7 * done + 1) % ACCOUNTS]
            with transaction.atomic():
                if kind == "checked":
                    giver = Account.objects.select_for_update().get(pk=giver.pk)
                    assert abs(giver.get_simple_balance()["EUR"].amount) >= one.amount
                giver.transfer_to(taker, one)
            done += 1
        print(json.dumps({
            "transfers_per_second": (done - first) / (time.perf_counter() - started),
            "cpu_us": (time.process_time() - cpu) / (done - first) * 1e6,
        }), flush=True)


if __name__ == "__main__":
    main()
