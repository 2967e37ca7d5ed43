"""Topics: created from the registry, compared with it, told apart by their ids; alone uses the admin client."""

import time
from base64 import b64decode
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it exports these without saying so
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from shared.runtime.errors import FatalError, TopicMissingError, TransientError

DEADLINE_SECONDS = 15.0
POLL_SECONDS = 0.05
COMPARED = ("cleanup.policy", "message.timestamp.type")
"""The settings that our rules depend on; operators may change the others on a running topic."""

T = TypeVar("T")


class TopicSpec(Protocol):
    """What the registry says of a topic."""

    @property
    def name(self) -> str:
        """Return its name."""
        ...

    def config(self) -> dict[str, str]:
        """Return Kafka's settings for it."""
        ...


@dataclass(frozen=True, slots=True)
class TopicState:
    """What the broker says of a topic."""

    name: str
    id: UUID
    partitions: int


class KafkaUnreachableError(TransientError):
    """No broker answered within the deadline: a command says so and ends, a service that runs asks again."""

    def __init__(self, bootstrap: str, why: str) -> None:
        super().__init__(
            f"Kafka at {bootstrap} can't be used ({why}): is it running (`rapport status`), "
            "and is CRM_KAFKA_BOOTSTRAP_SERVERS right?"
        )


class TopicDiffersError(FatalError):
    """Topics exist otherwise than the registry needs them; nothing was changed."""

    def __init__(self, differences: list[str]) -> None:
        super().__init__(
            "\n".join(
                [
                    "Topics differ from the registry:",
                    *(f"  {difference}" for difference in differences),
                    "Partitions are chosen once (more move keys): set CRM_LANES to what is there, or use new topics.",
                ]
            )
        )


class TopicAdmin:
    """Creates, compares and identifies topics of one cluster. Blocking: call it at start, or in a thread.

    Raises (each method):
        KafkaUnreachableError: no broker answered within `deadline_seconds`, or it refused.
    """

    def __init__(self, bootstrap: str, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._bootstrap = bootstrap
        self._deadline = deadline_seconds
        self._client = AdminClient(
            {
                "bootstrap.servers": bootstrap,
                "client.id": "rapport-admin",
                "socket.timeout.ms": int(deadline_seconds * 1000),
                # Else the library prints each failed connection attempt to standard error by itself.
                "log_level": 0,
            }
        )

    def create(self, topics: Iterable[TopicSpec], partitions: int, replication: int) -> list[str]:
        """Create the topics that are missing, wait until they are known, and return their names; again changes nothing.

        Raises:
            TopicDiffersError: one that exists has other partitions or another cleanup policy.
        """
        specs = list(topics)
        wanted = [
            NewTopic(spec.name, num_partitions=partitions, replication_factor=replication, config=spec.config())
            for spec in specs
        ]
        if not wanted:
            return []
        started = self._client.create_topics(wanted, request_timeout=self._deadline)
        created = [name for name, future in started.items() if self._was_created(future)]
        self._wait_for([spec.name for spec in specs])
        self.compare(specs, partitions)
        return sorted(created)

    def compare(self, topics: Iterable[TopicSpec], partitions: int) -> None:
        """Check that topics have the partitions and the cleanup policy that the registry says.

        Raises:
            TopicMissingError: some do not exist.
            TopicDiffersError: some are otherwise; names each difference.
        """
        specs = {spec.name: spec.config() for spec in topics}
        states = self.describe(specs)
        missing = sorted(set(specs) - set(states))
        if missing:
            raise TopicMissingError(missing)
        found = self._configs(specs)
        differences = [
            f"{name}: expected {partitions} partitions, found {state.partitions}"
            for name, state in sorted(states.items())
            if state.partitions != partitions
        ]
        differences += [
            f"{name}: expected {key} {config[key]}, found {found[name].get(key)}"
            for name, config in sorted(specs.items())
            for key in COMPARED
            if key in config and found[name].get(key) != config[key]
        ]
        if differences:
            raise TopicDiffersError(differences)

    def describe(self, names: Iterable[str]) -> dict[str, TopicState]:
        """Return what the broker knows of these topics; those that do not exist are left out."""
        wanted = sorted(set(names))
        if not wanted:
            return {}
        states = {}
        futures = self._client.describe_topics(TopicCollection(wanted), request_timeout=self._deadline)
        for name, future in futures.items():
            try:
                description = self._result(future)
            except _UnknownTopicError:
                continue
            states[name] = TopicState(name, _uuid(description.topic_id), len(description.partitions))
        return states

    def topic_ids(self, names: Iterable[str]) -> dict[str, UUID]:
        """Return the ids of these topics: a topic that was deleted and created again has another.

        Raises:
            TopicMissingError: some do not exist.
        """
        wanted = set(names)
        states = self.describe(wanted)
        missing = sorted(wanted - set(states))
        if missing:
            raise TopicMissingError(missing)
        return {name: state.id for name, state in states.items()}

    def _was_created(self, future: "Future[None]") -> bool:
        try:
            self._result(future)
        except _TopicExistsError:
            return False
        return True

    def _wait_for(self, names: list[str]) -> None:
        # The controller has created them; the broker that we ask may hear of it a moment later.
        ends = time.monotonic() + self._deadline
        while missing := sorted(set(names) - set(self.describe(names))):
            if time.monotonic() > ends:
                raise TopicMissingError(missing)
            time.sleep(POLL_SECONDS)

    def _configs(self, names: Iterable[str]) -> Mapping[str, dict[str, str]]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        futures = self._client.describe_configs(resources, request_timeout=self._deadline)
        configs = {}
        for resource, future in futures.items():
            try:
                configs[resource.name] = {key: entry.value for key, entry in self._result(future).items()}
            except _UnknownTopicError:
                # Deleted since it was described.
                raise TopicMissingError([resource.name]) from None
        return configs

    def _result(self, future: "Future[T]") -> T:
        try:
            return future.result(timeout=self._deadline)
        except TimeoutError:
            raise KafkaUnreachableError(self._bootstrap, f"no answer within {self._deadline:g} s") from None
        except KafkaException as refused:
            error: KafkaError = refused.args[0]
            if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                raise _TopicExistsError from None
            if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise _UnknownTopicError from None
            raise KafkaUnreachableError(self._bootstrap, error.str()) from None


class _TopicExistsError(Exception):
    pass


class _UnknownTopicError(Exception):
    pass


def create_topics(bootstrap: str, topics: Iterable[TopicSpec], partitions: int, replication: int = 1) -> list[str]:
    """Create what is missing of the registry's topics and return its names (`TopicAdmin.create`)."""
    return TopicAdmin(bootstrap).create(topics, partitions, replication)


def topic_ids(bootstrap: str, names: Iterable[str]) -> dict[str, UUID]:
    """Return the ids of topics (`TopicAdmin.topic_ids`)."""
    return TopicAdmin(bootstrap).topic_ids(names)


def _uuid(kafka_id: Uuid) -> UUID:
    # Its text is base64 without padding, in either alphabet; the bits have no typed accessor.
    return UUID(bytes=b64decode(f"{kafka_id}==".replace("-", "+").replace("_", "/")))
