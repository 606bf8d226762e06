"""Windows over a program's participants: everybody once, in the order in which events are decided."""

from app.db import Connection
from app.domain.ids import new_id, partition_of


def test_the_database_knows_the_partition_that_events_get(connection: Connection) -> None:
    for _ in range(200):
        one = new_id()
        row = connection.execute("SELECT partition_of(%s) AS found", (one,)).fetchone()
        assert row == {"found": partition_of(one)}
