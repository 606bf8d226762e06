"""How a key is looked up, and what is stored of it."""

import hashlib

import pytest
from psycopg import sql
from werkzeug.datastructures import Headers

from app import db
from app.api.credentials import Credentials
from app.domain.errors import Unauthorized
from app.store.identities import Identity
from tests.api.client import Caller


def test_the_database_compares_hashes_and_never_sees_a_key(api: Caller) -> None:
    """A guess that shares all but its end with a key takes the same steps as one that shares nothing."""
    asked: list[bytes] = []

    def find(key_hash: bytes) -> Identity | None:
        asked.append(key_hash)
        return None

    credentials = Credentials(find)
    guesses = [api.key[:-1] + "!", api.key[:-1], "sk_" + "x" * 40]
    for guess in guesses:
        with pytest.raises(Unauthorized):
            credentials.identify(Headers({"Authorization": f"Bearer {guess}"}))
    assert asked == [hashlib.sha256(guess.encode()).digest() for guess in guesses]


def test_a_stolen_database_holds_no_key(api: Caller) -> None:
    created = api.post("/v1/api-keys", {"name": "k"}).json["key"]
    with db.connection() as c:
        tables = c.execute("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert len(tables) > 20
        for table in tables:
            query = sql.SQL("SELECT count(*) AS n FROM {} t WHERE t::text LIKE %s")
            found = c.execute(query.format(sql.Identifier(table["name"])), (f"%{created[9:]}%",)).fetchone()
            assert found == {"n": 0}, table


def test_a_stolen_key_is_dead_within_a_second_of_its_end(api: Caller) -> None:
    stolen = api.post("/v1/api-keys", {"name": "k"}).json
    thief = Caller(api.http, api.organization_id, stolen["key"])
    assert thief.get("/v1/programs").status_code == 200
    assert api.delete(f"/v1/api-keys/{stolen['id']}").status_code == 204
    # A process that remembers it forgets it in time; one that does not refuses it at once.
    fresh = Credentials()
    with pytest.raises(Unauthorized):
        fresh.identify(Headers({"X-API-Key": stolen["key"]}))
