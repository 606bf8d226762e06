"""What `run` shows once everything answers: one block of text with all that is needed to begin."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Banner:
    """The facts of a running system."""

    url: str
    api_key: str | None
    api_key_file: str
    rate_limit_per_second: int
    rate_limit_burst: int
    processes: str
    servers: str
    data_folder: str
    test_clock: bool
    seconds: float

    def text(self) -> str:
        """The banner, without a closing line break."""
        if self.api_key:
            key = f"{self.api_key}   (also in {self.api_key_file})"
        else:
            key = "make one with: python3 dev.py key create"
        limit = f"{self.rate_limit_per_second:,} requests/s, burst {self.rate_limit_burst:,}"
        rows = [
            ("API", f"{self.url}/v1"),
            ("Documentation", f"{self.url}/docs"),
            ("API key", key),
            *([("Rate limit", limit)] if self.api_key else []),
            ("Processes", self.processes),
            ("Servers", self.servers),
            ("Data and logs", self.data_folder),
            *([("Test clock", "on: POST /v1/test/clock moves it forward")] if self.test_clock else []),
            ("Stop", "Ctrl-C"),
        ]
        lines = [f"  {name:<14} {value}" for name, value in rows]
        return "\n".join(["", f"Florin is running (ready after {self.seconds:.1f} s).", "", *lines, ""])
