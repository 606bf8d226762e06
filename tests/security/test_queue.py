"""The queue carries JSON with ids; whoever can write into Redis gets no code run."""

import json
import pickle
import re
from pathlib import Path

import dramatiq
from dramatiq.encoder import JSONEncoder
from redis import Redis

from app import queue
from app.cli.datafolder import ROOT

FORBIDDEN = re.compile(
    r"^\s*(?:import|from) (?:pickle|marshal|shelve|dill|cloudpickle|yaml)\b|\b(?:PickleEncoder|os\.system)\b"
    r"|shell=True|(?<![\w.])eval\(", re.MULTILINE,
)


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_nothing_that_could_run_data_is_imported_anywhere() -> None:
    found = [
        str(path.relative_to(ROOT))
        for folder in ("app", "workers", "scheduler")
        for path in (ROOT / folder).rglob("*.py")
        if FORBIDDEN.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_messages_are_json_and_carry_numbers_only(redis_client: "Redis[bytes]") -> None:
    queue.broker()
    assert type(dramatiq.get_encoder()) is JSONEncoder
    queue.ring_now([3])
    (raw,) = redis_client.hvals(f"florin:dramatiq:{queue.QUEUE}.msgs")
    message = json.loads(raw)
    assert message["args"] == []
    assert message["kwargs"] == {"partitions": [3], "full": False}


def test_a_pickle_in_the_queue_is_never_unpickled(tmp_path: Path) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    try:
        dramatiq.Message.decode(bomb)
    except dramatiq.errors.DecodeError:
        pass
    else:
        raise AssertionError("a pickle was taken for a message")
    assert not (tmp_path / "exploded").exists()
    pickle.loads(bomb)  # The bomb is a real one.
    assert (tmp_path / "exploded").exists()
