"""The peer of bench/ledger: the same transfer, one a commit, through django-hordak, in an environment apart.

    python hordak_peer.py DATABASE_URL SECONDS
"""

import json
import sys
import time
from urllib.parse import urlsplit

import django
from django.conf import settings


def main() -> None:
    """Migrate, make accounts, transfer for some seconds, print transfers per second as JSON."""
    parts, seconds = urlsplit(sys.argv[1]), float(sys.argv[2])
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
    from hordak.models import Account, AccountType, Leg, Transaction
    from moneyed import Money

    call_command("migrate", verbosity=0)
    accounts = [
        Account.objects.create(name=f"A{n}", code=str(n), type=AccountType.asset, currencies=["EUR"])
        for n in range(50)
    ]
    done, end, started = 0, time.perf_counter() + seconds, time.perf_counter()
    while time.perf_counter() < end:
        with transaction.atomic():
            made = Transaction.objects.create(description="transfer")
            Leg.objects.create(
                transaction=made, account=accounts[done % 50], amount=Money("-1", "EUR")
            )
            Leg.objects.create(
                transaction=made, account=accounts[(done + 7) % 50], amount=Money("1", "EUR")
            )
        done += 1
    print(json.dumps({"transfers_per_second": done / (time.perf_counter() - started)}))


if __name__ == "__main__":
    main()
