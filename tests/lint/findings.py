"""What the project's small linters report: a line, what stands there, and why not."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    line: int
    what: str
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}: {self.why}"
