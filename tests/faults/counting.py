"""The counting service as a subject: each click counts once, and `clock:1` is woken once a second at most."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from tests.counting.app import HISTORY
from tests.counting.topics import CLICKS, COUNTED, COUNTS
from tests.faults.apart import apart
from tests.faults.kafka import LANES
from tests.faults.sent import Record
from tests.faults.subjects import Shape, Stage
from tests.faults.world import Connection, World

PEOPLE = 400
CLOCK_EVERY = 250


class Counting:
    """Who clicks lies in one lane: `p17` in lane 17 mod 4, `clock:1.02` in lane 2."""

    stage = Stage("counting", "tests.counting", HISTORY, (CLICKS,), (COUNTS, COUNTED))
    stages: Sequence[Stage] = (stage,)

    shape = Shape()

    def running(self) -> AbstractContextManager[Mapping[str, str]]:
        return nullcontext({})

    def record(self, number: int) -> Record:
        lane = number % LANES
        who = f"p{number * 7919 % (PEOPLE // LANES) * LANES + lane}"
        if number % CLOCK_EVERY < LANES:
            who = f"clock:1.0{lane}"
        click = f"c{number}"
        return Record(CLICKS.name, lane, who.encode(), json.dumps({"id": click, "who": who}).encode(), click, who)

    def poison(self, number: int) -> Record:
        return Record(CLICKS.name, number % LANES, b"x", f"no click {number}".encode(), f"x{number}", "", poison=True)

    def idle(self, world: World) -> bool:
        with world.connect("counting") as connection:
            return connection.execute("SELECT 1 FROM due LIMIT 1").fetchone() is None

    def differences(self, world: World, sent: Sequence[Record]) -> list[str]:
        with world.connect("counting") as connection:
            return self._differences(connection, sent)

    def _differences(self, connection: Connection, sent: Sequence[Record]) -> list[str]:
        wanted = {record.id: record.who for record in sent if not record.poison}
        clicks = [row[0] for row in connection.execute("SELECT id FROM clicks WHERE id NOT LIKE 'tick-%'").fetchall()]
        found = apart("clicks", Counter(wanted.keys()), Counter(clicks))
        letters = Counter(bytes(row[0]) for row in connection.execute("SELECT value FROM dead_letters").fetchall())
        found += apart("dead letters", Counter(record.value for record in sent if record.poison), letters)
        oracle = Counter(wanted.values())
        ticks = Counter(
            who for (who,) in connection.execute("SELECT who FROM clicks WHERE id LIKE 'tick-%'").fetchall()
        )
        counts: dict[str, int] = dict(connection.execute("SELECT who, version FROM counts").fetchall())
        for who in sorted(set(oracle) | set(counts)):
            if counts.get(who, 0) != oracle[who] + ticks[who]:
                found.append(f"count of {who}: expected {oracle[who]} + {ticks[who]} ticks, found {counts.get(who)}")
            woken = who.startswith("clock:") and oracle[who] > 0
            if not woken <= ticks[who] <= (oracle[who] if woken else 0):
                found.append(f"ticks of {who}: {oracle[who]} wishes, {ticks[who]} ticks")
        gaps = connection.execute(
            "SELECT who FROM clicks GROUP BY who HAVING count(DISTINCT version) <> count(*) OR max(version) <> count(*)"
        ).fetchall()
        found += [f"versions of {who} are not 1 to n, each once" for (who,) in gaps]
        return found

    def versions(self, connection: Connection, topic: str) -> Mapping[bytes, int]:
        assert topic == COUNTS.name
        return {who.encode(): version for who, version in connection.execute("SELECT who, version FROM counts")}
