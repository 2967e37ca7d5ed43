"""Resolve Kafka's dependencies anew and print the lock: `python -m shared.local.relock > shared/local/kafka.lock`."""

import hashlib
import sys
import tempfile
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver

from shared.local.lock import KAFKA, LOG_BINDING, LockedArtifact


def relock() -> str:
    """Resolve by the registry's metadata and hash each jar.

    The logging binding is added by itself, without its own dependencies: resolved together with Kafka its parent's
    managed versions would replace Kafka's own clients by an older release.
    """
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(resolver=PythonResolver(), repo_cache=Path(folder))
        roots, transitive = context.resolver.resolve([context.create_dependency(KAFKA)])
        locked = [
            LockedArtifact(
                each.groupId,
                each.artifactId,
                each.version,
                hashlib.sha256(each.artifact.resolve().read_bytes()).hexdigest(),
            )
            for each in (*roots, *transitive, context.create_dependency(LOG_BINDING))
        ]
    header = f"# {KAFKA} and all it needs, by shared.local.relock\n"
    return header + "".join(f"{each.line}\n" for each in sorted(locked, key=lambda each: (each.group, each.artifact)))


if __name__ == "__main__":
    sys.stdout.write(relock())
