"""The lock of Kafka's jars: which artifacts, and the sha256 of each; no address."""

import re
from dataclasses import dataclass
from importlib.resources import files

from shared.local.errors import BadLockError

_LINE = re.compile(r"([\w.-]+):([\w.-]+):([\w.-]+) sha256:([0-9a-f]{64})")
KAFKA = "org.apache.kafka:kafka_2.13:4.3.1"
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
"""Kafka's own distribution adds it: without it the broker logs nothing."""
KAFKA_VERSION = KAFKA.rsplit(":", 1)[1]


@dataclass(frozen=True, slots=True)
class LockedArtifact:
    """One jar: its Maven coordinate and the sha256 (hexadecimal) of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """Name it as Maven does."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def filename(self) -> str:
        """Name its file; the group is part of it, since two groups may have an artifact of one name."""
        return f"{self.group}.{self.artifact}-{self.version}.jar"

    @property
    def line(self) -> str:
        """Write it as a line of the lock."""
        return f"{self.coordinate} sha256:{self.sha256}"


def parse_lock(text: str) -> tuple[LockedArtifact, ...]:
    """Read a lock: one artifact a line, `#` begins a comment line. Raises BadLockError with the line's number."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise BadLockError(number, line)
        found.append(LockedArtifact(*match.groups()))
    return tuple(found)


def kafka_lock() -> tuple[LockedArtifact, ...]:
    """Read the lock that comes with this package."""
    return parse_lock(files("shared.local").joinpath("kafka.lock").read_text())
