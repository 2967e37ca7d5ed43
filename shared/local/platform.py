"""All of Rapport on one machine: servers, schemas, roles and topics, the services, their doors, a mail server."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg

from shared.contracts.topics import REGISTRY
from shared.local.programs import Program, ProgramProcess, readiness_problem, smtp_problem
from shared.local.secrets_file import SecretsFile
from shared.local.space import environment as process_environment
from shared.local.stack import Stack, StackAddresses
from shared.local.status import Notify, ServerStatus, silent
from shared.runtime.api_keys import Role, hashed
from shared.runtime.roles import ensure_role, role_of

SERVICES = ("ingest", "profile", "segmenter", "engagement", "metrics")
GATEWAY = "ingest-gateway"
ADMIN = "ingest-admin"
PROFILE_API = "profile-api"


@dataclass(frozen=True, slots=True)
class Door:
    """A process beside the five that takes HTTP: part of a service, with its role and its tables.

    One with two ports says how it is at a port of its own, which nobody who sends needs to reach.
    """

    service: str
    module: str
    port_count: int


DOORS = {
    GATEWAY: Door("ingest", "services.ingest.gateway", 2),
    ADMIN: Door("ingest", "services.ingest.admin", 1),
    PROFILE_API: Door("profile", "services.profile.query", 1),
}
PROCESSES = (GATEWAY, "ingest", ADMIN, "profile", PROFILE_API, *SERVICES[2:])
"""All processes of Rapport's own, in the order of the flow."""
MAILBOX = "mailbox"
SMTP_VARIABLE = "CRM_ENGAGEMENT_SMTP_URL"
DEFAULT_LANES = 4


class Platform:
    """Everything of one root (`.rapport/` of a checkout); `config` holds `segments/` and `campaigns/`.

    What is already set in the environment is used instead of what we would start: the two servers' variables, and
    CRM_ENGAGEMENT_SMTP_URL for the mail server.
    """

    def __init__(self, root: Path, config: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.root = root.absolute()
        self._config = config.absolute()
        self._environment = process_environment() if environment is None else environment
        self._secrets = SecretsFile(self.root)
        self.stack = Stack(self.root, environment=self._environment)

    @property
    def mails(self) -> Path:
        """Return the Maildir of the mail server."""
        return self.root / "mails"

    @property
    def admin_key(self) -> str:
        """Return the key of the APIs, made at the first time of asking and kept in `secrets.json`."""
        return self._secrets.get("admin_key")

    def up(self, *, notify: Notify = silent) -> StackAddresses:
        """Start everything that does not run, and return when all of it is ready.

        Raises:
            LocalStackError: a server or a service did not start; the text says why and what to do.
            FatalError: schemas or topics cannot be brought to what this version needs.
        """
        addresses = self.stack.up(notify=notify)
        notify("Migrating schemas, creating topics …")
        self.migrate(addresses)
        programs = self._programs(addresses)
        for program in programs:
            program.start(notify)
        for program in programs:
            notify(f"Waiting for {program.name} …")
            program.wait()
        return addresses

    def migrate(self, addresses: StackAddresses) -> None:
        """Bring schemas, roles and topics to what this version needs."""
        # Alembic takes a second to import, which no other command should pay for.
        from shared.runtime.migrations import migrate_all  # noqa: PLC0415 - as said above
        from shared.runtime.topic_admin import create_topics  # noqa: PLC0415 - as above

        for service in migrate_all(addresses.database_url):
            with psycopg.connect(addresses.database_url) as connection:
                ensure_role(connection, service, self._secrets.get(role_of(service)))
        create_topics(addresses.kafka, REGISTRY, int(self._environment.get("CRM_LANES") or DEFAULT_LANES))

    def status(self) -> list[ServerStatus]:
        """Look at the servers, the services and the mail server."""
        return [*self.stack.status(), *(program.status() for program in self._programs(None))]

    def program(self, name: str) -> ProgramProcess:
        """Return the process of one of `PROCESSES`, or of the mail server.

        Raises:
            KeyError: there is none of that name.
        """
        return {program.name: program for program in self._programs(self.stack.addresses())}[name]

    def down(self) -> None:
        """Stop the services, then what they speak to; data stay."""
        programs = self._programs(None)
        for program in programs:
            if program.name != MAILBOX:  # engagement may have a mail under way
                program.ask_to_stop()
        for program in reversed(programs):
            program.stop()
        self.stack.down()

    def variables(self) -> dict[str, str]:
        """Return the environment in which commands find what runs here; empty when the servers do not."""
        addresses = self.stack.addresses()
        return {} if addresses is None else self._shared_variables(addresses)

    def _shared_variables(self, addresses: StackAddresses) -> dict[str, str]:
        return {
            "CRM_KAFKA_BOOTSTRAP_SERVERS": addresses.kafka,
            "CRM_DATABASE_URL": addresses.database_url,
            "CRM_IDENTITY_SECRET": self._environment.get("CRM_IDENTITY_SECRET") or self._secrets.get("identity"),
            "CRM_PROFILE_IDENTITY_RULES": str(self._config / "identity.yaml"),
            "CRM_PROFILE_LIFECYCLE_STAGES": str(self._config / "lifecycle.yaml"),
            "CRM_SEGMENTER_DEFINITIONS_DIR": str(self._config / "segments"),
            "CRM_ENGAGEMENT_CAMPAIGNS_DIR": str(self._config / "campaigns"),
        }

    def _programs(self, addresses: StackAddresses | None) -> list[ProgramProcess]:
        programs = [self._service(name, addresses) for name in SERVICES]
        programs += [self._door(name, addresses) for name in DOORS]
        if SMTP_VARIABLE not in self._environment:
            programs.insert(0, self._mailbox())
        return [ProgramProcess(self.root, program) for program in programs]

    def _mailbox(self) -> Program:
        def command(ports: Sequence[int]) -> list[str]:
            return ["-m", "shared.local.mailbox", str(ports[0]), str(self.mails)]

        return Program(MAILBOX, command, lambda _ports: {}, smtp_problem)

    def _service(self, name: str, addresses: StackAddresses | None) -> Program:
        def environment(ports: Sequence[int]) -> dict[str, str]:
            return self._program_variables(name, addresses, {f"CRM_{name.upper()}_WEB_PORT": ports[0]})

        return Program(name, lambda _ports: ["-m", f"services.{name}"], environment, readiness_problem)

    def _door(self, name: str, addresses: StackAddresses | None) -> Program:
        door = DOORS[name]
        prefix = f"CRM_{name.upper().replace('-', '_')}"

        def environment(ports: Sequence[int]) -> dict[str, str]:
            listening = {f"{prefix}_PORT": ports[0]}
            if len(ports) > 1:
                listening[f"{prefix}_WEB_PORT"] = ports[1]
            return self._program_variables(door.service, addresses, listening)

        return Program(name, lambda _ports: ["-m", door.module], environment, readiness_problem, door.port_count)

    def _program_variables(
        self, service: str, addresses: StackAddresses | None, ports: Mapping[str, int]
    ) -> dict[str, str]:
        """Give one program its environment: it signs in as the service that it belongs to, and listens where told."""
        if addresses is None:
            return {}
        given = {key: value for key, value in self._environment.items() if key.startswith("CRM_")}
        return {
            **self._shared_variables(addresses),
            SMTP_VARIABLE: self._smtp_url(),
            "CRM_INSTANCE_ID": "local",
            "CRM_API_KEYS": self._api_keys(),
            **given,
            "CRM_DATABASE_URL": as_role(addresses.database_url, service, self._secrets.get(role_of(service))),
            **{name: str(port) for name, port in ports.items()},
        }

    def _api_keys(self) -> str:
        """Name the one key that we made; who sets CRM_API_KEYS brings others instead."""
        return json.dumps([{"name": "local", "role": Role.ADMIN.value, "sha256": hashed(self.admin_key)}])

    def _smtp_url(self) -> str:
        return f"smtp://127.0.0.1:{ProgramProcess(self.root, self._mailbox()).port}"


def as_role(url: str, service: str, password: str) -> str:
    """Return a database URL that signs in as a service's own role."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role_of(service))}:{quote(password)}@{host}"))
