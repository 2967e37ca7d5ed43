"""Counts each click id once by who clicked; whoever is named `clock:N` is woken N seconds after each click."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from psycopg import AsyncConnection

from shared.runtime import handler as h
from shared.runtime.arrays import byteas, int4s, int8s, texts
from shared.runtime.errors import StaleStateError
from shared.runtime.failpoints import Failpoints
from shared.runtime.records import DueInstant, Poison, Received, Record
from tests.counting.topics import COUNTED, COUNTS


class Click(msgspec.Struct, frozen=True):
    id: str
    who: str


class State(msgspec.Struct):
    versions: dict[str, int]
    known: set[str]


class Rows(msgspec.Struct):
    loaded: dict[str, int]
    counts: dict[str, tuple[int, int]]
    clicks: list[tuple[str, str, int]]


class CountingHandler:
    """Keeps no cache but the versions, to be forgotten like any other cache."""

    def __init__(self, failpoints: Failpoints) -> None:
        self._failpoints = failpoints
        self._cached: dict[str, int] = {}

    def decode(self, record: Record) -> Sequence[Click | Poison]:
        try:
            return [msgspec.json.decode(record.value or b"", type=Click)]
        except msgspec.MsgspecError as error:
            return [Poison("not_a_click", expected="Click", found=type(error).__name__)]

    def keys(self, events: Sequence[Received[Click]], due: Sequence[DueInstant]) -> tuple[list[str], list[str]]:
        return sorted({one.event.who for one in events} | {one.key for one in due}), [one.event.id for one in events]

    async def load(self, connection: AsyncConnection, keys: tuple[list[str], list[str]]) -> State:
        who, ids = keys
        missing = [one for one in who if one not in self._cached]
        cursor = await connection.execute("SELECT who, version FROM counts WHERE who = ANY(%s)", (texts(missing),))
        versions = {one: self._cached[one] for one in who if one in self._cached} | dict(await cursor.fetchall())
        cursor = await connection.execute("SELECT id FROM clicks WHERE id = ANY(%s)", (texts(ids),))
        return State(versions, {one for (one,) in await cursor.fetchall()})

    def decide(
        self, events: Sequence[Received[Click]], due: Sequence[DueInstant], state: State, now: datetime
    ) -> h.Decision[Rows]:
        rows = Rows(dict(state.versions), {}, [])
        counts, known = dict(state.versions), set(state.known)
        outcomes: list[h.Outcome] = []
        publications: list[h.Publication] = []
        wakes: list[h.DueChange] = []
        clicks = [(one.event.id, one.event.who, one.lane) for one in events]
        clicks += [(f"tick-{one.key}-{one.at.timestamp()}", one.key, one.lane) for one in due]
        for number, (click, who, lane) in enumerate(clicks):
            duplicate = click in known
            if number < len(events):
                outcomes.append(h.DUPLICATE if duplicate else h.APPLIED)
                if who.startswith("clock:") and not duplicate:
                    wakes.append(h.SetDue(lane, who, now + timedelta(seconds=float(who.split(":")[1]))))
            if duplicate:
                continue
            known.add(click)
            counts[who] = counts.get(who, 0) + 1
            rows.counts[who] = (counts[who], lane)
            rows.clicks.append((click, who, counts[who]))
            publications.append(h.Publication(COUNTED.name, lane, click.encode(), counted(click, who, counts[who])))
        publications += [
            h.Publication(COUNTS.name, lane, who.encode(), count(who, version))
            for who, (version, lane) in sorted(rows.counts.items())
        ]
        return h.Decision(rows, outcomes, publications, wakes)

    async def save(self, connection: AsyncConnection, rows: Rows) -> None:
        who = sorted(rows.counts)
        cursor = await connection.execute(
            """
            INSERT INTO counts AS c (who, lane, version)
            SELECT n.who, n.lane, n.version FROM unnest(%s, %s, %s, %s) AS n (who, lane, version, loaded)
            ON CONFLICT (who) DO UPDATE SET version = excluded.version
            WHERE c.version = (SELECT l.loaded FROM unnest(%s, %s) AS l (who, loaded) WHERE l.who = excluded.who)
            """,
            (
                texts(who),
                int4s([rows.counts[one][1] for one in who]),
                int8s([rows.counts[one][0] for one in who]),
                int8s([rows.loaded.get(one, 0) for one in who]),
                texts(who),
                int8s([rows.loaded.get(one, 0) for one in who]),
            ),
        )
        if cursor.rowcount != len(who):
            raise StaleStateError("a count moved")
        async with cursor.copy("COPY clicks (id, who, version) FROM STDIN") as copy:
            for number, row in enumerate(rows.clicks):
                if number == len(rows.clicks) // 2:
                    self._failpoints.hit("in_copy")
                await copy.write_row(row)
        self._cached.update({one: version for one, (version, _) in rows.counts.items()})

    def forget(self) -> None:
        self._cached.clear()

    @property
    def remembered(self) -> dict[str, int]:
        return dict(self._cached)


class CountingOutlet:
    async def render(self, connection: AsyncConnection, topic: str, keys: Sequence[bytes]) -> Sequence[h.Message]:
        names = [key.decode() for key in keys]
        if topic == COUNTED.name:
            cursor = await connection.execute("SELECT id, who, version FROM clicks WHERE id = ANY(%s)", (texts(names),))
            clicks = {one: counted(one, who, version) for one, who, version in await cursor.fetchall()}
            return [clicks[name] for name in names]
        cursor = await connection.execute("SELECT who, version FROM counts WHERE who = ANY(%s)", (texts(names),))
        counts = {who: count(who, version) for who, version in await cursor.fetchall()}
        return [counts[name] for name in names]

    async def current(
        self, connection: AsyncConnection, topic: str, message_keys: Sequence[bytes]
    ) -> Mapping[bytes, h.Current]:
        assert topic == COUNTS.name
        cursor = await connection.execute(
            "SELECT convert_to(who, 'UTF8'), version FROM counts WHERE convert_to(who, 'UTF8') = ANY(%s)",
            (byteas(message_keys),),
        )
        return {bytes(who): h.Current(bytes(who), version) for who, version in await cursor.fetchall()}


def counted(click: str, who: str, version: int) -> h.Message:
    return h.Message(who.encode(), msgspec.json.encode({"id": click, "version": version}), [("ce_id", click.encode())])


def count(who: str, version: int) -> h.Message:
    return h.Message(who.encode(), msgspec.json.encode({"count": version}), [("ce_version", str(version).encode())])
