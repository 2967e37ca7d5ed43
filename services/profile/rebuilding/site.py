"""Where a rebuild works: a database, the rules that records are made by, and the way to the topics."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.ports import CustomerStore
from services.profile.rebuilding.bounds import MOST_EVENTS, Bounds
from shared.runtime.clock import Clock
from shared.runtime.transaction import Transactions


class Rules(msgspec.Struct, frozen=True):
    """What records are made by: who is one person, and how far a relationship has come.

    `published` are the stages that records on the topic were drawn by, where that is to be looked at.
    """

    identity: IdentityRules
    stages: Stages = USUAL
    published: Stages | None = None

    @property
    def digest(self) -> bytes:
        """Tell these rules from others, in every process alike."""
        said = [asdict(self.identity), [asdict(stage) for stage in self.stages]]
        return hashlib.blake2b(json.dumps(said, sort_keys=True, default=sorted).encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Site:
    """What a rebuild works with; `at_once` are the customers that are compared in one transaction.

    `bounds` are those of a check: a rebuild reads all events there are.
    """

    pool: AsyncConnectionPool[AsyncConnection]
    transactions: Transactions
    store: CustomerStore
    rules: Rules
    lanes: int
    clock: Clock
    at_once: int = 500
    bounds: Bounds = field(default_factory=lambda: Bounds(events=MOST_EVENTS))
