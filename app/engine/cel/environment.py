"""Which names an expression may use. Rules have six variables; other environments exist for filters and
tests.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

RULE_VARIABLES = ("event", "participant", "recipient", "group", "program", "now")

TYPE_NAMES = frozenset(
    ("bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type",
     "google.protobuf.Timestamp", "google.protobuf.Duration")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Environment:
    """`variables` may have dotted names, looked up as CEL does: longest first, `container` prefixes before
    none. `late_names` turns unknown names into errors at run time, as the specification's own tests expect;
    rules refuse them when they are saved."""

    variables: frozenset[str]
    container: str = ""
    late_names: bool = False

    def resolve(self, name: str, absolute: bool) -> str | None:
        """The variable that `name` stands for, or None."""
        prefixes = self.container.split(".") if self.container and not absolute else []
        while True:
            candidate = ".".join([*prefixes, name])
            if candidate in self.variables:
                return candidate
            if not prefixes:
                return None
            prefixes.pop()

    @property
    def has_dotted(self) -> bool:
        return any("." in name for name in self.variables)


RULE = Environment(frozenset(RULE_VARIABLES))
FILTER = Environment(frozenset(("participant",)))


def did_you_mean(name: str, known: list[str]) -> str:
    """`, did you mean …?` for the known name that is nearest, or nothing."""
    lowered = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return f", did you mean `{lowered[near[0]]}`?" if near else ""
