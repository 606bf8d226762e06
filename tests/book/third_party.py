"""A stranger's verifier of an export, written from docs/explanation/ledger.md: no code of the product."""

import hashlib
import json
import sys


def verify(path: str) -> int:
    """Return how many entries the file proves; raises AssertionError at the first that it does not."""
    with open(path, encoding="utf-8") as file:
        head = json.loads(next(file))
        previous, number = "0" * 64, 0
        for text in file:
            entry = json.loads(text)
            number += 1
            assert entry["sequence_number"] == number
            day, _, clock = entry["created_at"].rstrip("Z").partition("T")
            whole, _, fraction = clock.partition(".")
            lines = ["florin-journal-1", previous, str(number), head["organization_id"], entry["id"]]
            for name in ("program_id", "asset_id", "action_type", "event_seq", "rule_id", "api_key_id"):
                lines.append("-" if entry[name] is None else str(entry[name]))
            lines += [f"{day}T{whole}.{fraction:0<6}Z", entry["text_hash"] or "-"]
            for p in sorted(entry["postings"], key=lambda posting: posting["line"]):
                parts = [p[name] for name in ("line", "account_id", "owner_type", "owner_id", "bucket")]
                lines.append(" ".join(map(str, [*parts, p["amount"]])))
            found = hashlib.sha256(("\n".join(lines) + "\n").encode()).hexdigest()
            assert found == entry["entry_hash"], f"entry {number} is not what was sealed"
            previous = found
            if entry["description"] is not None or entry["reference_id"] is not None:
                said = bytes.fromhex(entry["salt"])
                for words in (entry["description"], entry["reference_id"]):
                    raw = b"" if words is None else words.encode()
                    said += b"-" if words is None else b"%d:%b" % (len(raw), raw)
                assert hashlib.sha256(said).hexdigest() == entry["text_hash"]
        assert (number, previous) == (head["entries"], head["head"])
    return number


if __name__ == "__main__":
    print(verify(sys.argv[1]), "entries verified")
