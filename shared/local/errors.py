"""What can go wrong with the local stack; every message ends in what to do."""

from pathlib import Path


class LocalStackError(Exception):
    """The local stack cannot do what was asked; the message says why and what to do."""


class RegistryUnreachableError(LocalStackError):
    """The registry of Kafka's jars did not answer, and they are not yet cached."""

    def __init__(self, missing: int, cache: Path, cause: str) -> None:
        super().__init__(
            f"cannot download Kafka: the registry of Java packages is out of reach ({cause}). "
            f"{missing} jars are not yet in {cache}. Check the network (HTTPS_PROXY is honoured) and try again, "
            "or copy that folder from a machine that has it, or set CRM_KAFKA_BOOTSTRAP_SERVERS to a Kafka of yours."
        )


class WrongChecksumError(LocalStackError):
    """A downloaded jar is not the one that the lock names."""

    def __init__(self, coordinate: str, expected: str, found: str) -> None:
        super().__init__(
            f"{coordinate} as downloaded has sha256 {found}, the lock says {expected}: not used. "
            "Check the proxy or mirror that serves it and try again; "
            "if it persists, set CRM_KAFKA_BOOTSTRAP_SERVERS to a Kafka of yours and report it."
        )


class BadLockError(LocalStackError):
    """The lock file of Kafka's jars has a line that is no lock."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(
            f"kafka.lock:{line}: expected 'group:artifact:version sha256:<64 hex digits>', got {text!r}. "
            "Install the package again."
        )


class DiskFullError(LocalStackError):
    """Too little space for the servers' files."""

    def __init__(self, folder: Path, needed: int, free: int) -> None:
        super().__init__(
            f"{folder} has {free >> 20} MB free, the local stack needs {needed >> 20} MB. "
            "Free some space, or keep the data elsewhere (CRM_CACHE_DIR moves the cache of downloads)."
        )


class PortTakenError(LocalStackError):
    """Somebody else listens on the port that this stack had before."""

    def __init__(self, server: str, port: int, holder: str, state: Path) -> None:
        super().__init__(
            f"port {port}, which {server} of this checkout had before, is taken by {holder}. "
            f"Stop that program, or run `rapport down` and delete {state}: new ports are then picked."
        )


class NoFreePortError(LocalStackError):
    """No free port was found."""

    def __init__(self, tries: int) -> None:
        super().__init__(
            f"no free port on 127.0.0.1 after {tries} tries. Stop servers that you do not need and try again."
        )


class DatabaseTooOldError(LocalStackError):
    """The given PostgreSQL is older than what the services need."""

    def __init__(self, address: str, found: str, needed: int) -> None:
        super().__init__(
            f"the PostgreSQL at {address} (CRM_DATABASE_URL) is version {found}; {needed} or newer is needed. "
            "Upgrade it, or unset CRM_DATABASE_URL to use the embedded one."
        )


class ServerUnreachableError(LocalStackError):
    """An external server does not answer."""

    def __init__(self, server: str, address: str, variable: str, cause: str) -> None:
        super().__init__(
            f"no {server} answers at {address} ({variable}): {cause}. "
            f"Start it or correct {variable}, or unset it to use the embedded one."
        )


class WrongPasswordError(LocalStackError):
    """PostgreSQL refuses the role or its password."""

    def __init__(self, address: str, remedy: str) -> None:
        super().__init__(f"the PostgreSQL at {address} refuses the role or its password. {remedy}")


class BadDatabaseUrlError(LocalStackError):
    """CRM_DATABASE_URL cannot be read as an address of PostgreSQL."""

    def __init__(self) -> None:  # the value is not shown: it may hold a password
        super().__init__(
            "CRM_DATABASE_URL is not an address of PostgreSQL: expected "
            "postgresql://ROLE:PASSWORD@HOST:PORT/DATABASE (characters such as @ : / in the password as %40 %3A %2F). "
            "Correct it, or unset it to use the embedded one."
        )


class UnknownStackError(LocalStackError):
    """CRM_STACK has a value that means nothing."""

    def __init__(self, value: str) -> None:
        super().__init__(
            f"CRM_STACK is {value!r}: expected 'embedded' or 'containers'. "
            "Correct it, or unset it to use embedded servers."
        )


class ServerStartError(LocalStackError):
    """A server did not come up; the message ends in the tail of its log."""

    def __init__(self, server: str, reason: str, log: Path, tail: str) -> None:
        super().__init__(
            f"{server} did not start: {reason}. Correct what its log names and try again. "
            f"The log is {log}, its end:\n{tail}"
        )


class ServerStopError(LocalStackError):
    """A server's process outlived every signal."""

    def __init__(self, server: str, pid: int) -> None:
        super().__init__(
            f"{server} (process {pid}) does not end, not even by SIGKILL. "
            "Look whether its disk hangs; restart the machine if so."
        )


class BrokenStateError(LocalStackError):
    """The folder's state file cannot be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} cannot be read. Delete it: servers that still run are found again, and new ports are picked."
        )


class LostPasswordError(LocalStackError):
    """The data of PostgreSQL are there and the password for them is not."""

    def __init__(self, secret: Path, data: Path) -> None:
        super().__init__(
            f"{secret} is gone, which holds the password of the PostgreSQL data in {data}. "
            f"Put it back, or delete {data} to start with an empty database."
        )


class BusyStackError(LocalStackError):
    """Another process starts or stops the same stack and does not get done."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            f"another process starts or stops the stack in {root} and is not done yet. "
            "Wait for it or end it, and try again."
        )


class NotEmbeddedError(LocalStackError):
    """What was asked for can be done to an embedded server only."""

    def __init__(self, server: str) -> None:
        super().__init__(
            f"{server} is not an embedded one here. Unset CRM_KAFKA_BOOTSTRAP_SERVERS, CRM_DATABASE_URL and CRM_STACK."
        )


class MissingExtraError(LocalStackError):
    """Packages of an optional part are not installed."""

    def __init__(self, extra: str, cause: str) -> None:
        super().__init__(
            f"the optional part {extra!r} is not installed ({cause}). Run `pip install 'rapport-crm[{extra}]'`."
        )


class NoUnprivilegedAccountError(LocalStackError):
    """PostgreSQL refuses to run as root, and there is no other account to run it as."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"PostgreSQL cannot run as root, and the account {name!r} to run it as does not exist. "
            "Create it, run as an ordinary user, or set CRM_DATABASE_URL."
        )


class NoContainerEngineError(LocalStackError):
    """CRM_STACK=containers without an engine that answers."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"CRM_STACK=containers needs a container engine, and none answers ({cause}). "
            "Start Docker (or set DOCKER_HOST), or unset CRM_STACK to use the embedded servers."
        )
