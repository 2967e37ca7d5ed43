"""A service's consumer group: its inputs, its promises per topic, and what a process of it works with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from shared.contracts.topics import Kind
from shared.runtime.batch import Processor
from shared.runtime.clock import Clock
from shared.runtime.dead_letters import OPEN_DEAD_LETTERS
from shared.runtime.failpoints import Failpoints
from shared.runtime.handler import Outlet
from shared.runtime.health import Health
from shared.runtime.lanes import Claims
from shared.runtime.metrics import Metrics
from shared.runtime.publisher import Publisher
from shared.runtime.settings import RuntimeSettings
from shared.runtime.topic_admin import TopicAdmin
from shared.runtime.transaction import Transactions


@dataclass(frozen=True, slots=True)
class Group:
    """Everything that the loops of one process share; `inputs` and `outputs` tell what each topic promises."""

    name: str
    owner: str
    inputs: Mapping[str, Kind]
    outputs: Mapping[str, Kind]
    settings: RuntimeSettings
    pool: AsyncConnectionPool[AsyncConnection]
    claims: Claims
    transactions: Transactions
    processor: Processor
    publisher: Publisher
    outlet: Outlet
    admin: TopicAdmin
    clock: Clock
    failpoints: Failpoints
    metrics: Metrics
    health: Health
    open_dead_letters: LiteralString = OPEN_DEAD_LETTERS
