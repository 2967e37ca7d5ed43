"""The broker's configuration, rendered from its ports and folders."""

from collections.abc import Mapping
from pathlib import Path

LOGGING = """\
status = warn
shutdownHook = disable
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
logger.values.name = org.apache.kafka.common.config.AbstractConfig
logger.values.level = warn
logger.log.name = org.apache.kafka.storage.internals.log
logger.log.level = warn
"""
"""Everything at INFO but the listing of all settings and a line per segment, which would bury the rest."""


def node_settings(port: int, controller_port: int, data: str, *, bind: str = "127.0.0.1") -> dict[str, str]:
    """Give the settings of one node that is broker and controller; clients reach it at 127.0.0.1 and the port."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{bind}:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        # Topics come from the registry in shared.contracts, never from a misspelt name.
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        # After kill -9 the node waits for its own former session to expire.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # The default of 15 s sets how long erased keys stay in the files.
        "log.cleaner.backoff.ms": "500",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "4",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
    }


def server_properties(port: int, controller_port: int, data: Path) -> str:
    """Render server.properties of a node that listens on 127.0.0.1 only."""
    settings = node_settings(port, controller_port, str(data))
    return "".join(f"{key}={escape(value)}\n" for key, value in settings.items())


def container_environment(port: int, controller_port: int) -> Mapping[str, str]:
    """Render the settings as the variables that the image apache/kafka reads."""
    settings = node_settings(port, controller_port, "/var/lib/kafka/data", bind="0.0.0.0")  # noqa: S104 - inside its own network; only 127.0.0.1 of the host is bound to it
    return {f"KAFKA_{key.upper().replace('.', '_')}": value for key, value in settings.items()}


def escape(value: str) -> str:
    r"""Escape a value as java.util.Properties reads it: a backslash escapes, other than ASCII is \uXXXX."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    pairs = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    return "".join(chr(unit) if 32 <= unit < 127 else f"\\u{unit:04x}" for unit in pairs)  # noqa: PLR2004 - printable ASCII
