"""The invariants of the runtime itself, whatever the service: positions, streams, publications, topics (I1, I4, I5)."""

from collections import Counter
from collections.abc import Mapping, Sequence

from shared.contracts.topics import Kind, Topic
from shared.runtime.topic_admin import topic_ids
from tests.faults import kafka
from tests.faults.kafka import OnTopic
from tests.faults.sent import Record
from tests.faults.subjects import Stage, Subject
from tests.faults.world import Connection, World

_POSITIONS = """
    SELECT topic, lane, topic_id, next_offset, records_read, events_read, applied + duplicate + conflict + dead + erased
    FROM positions
"""


def differences(world: World, subject: Subject, sent: Sequence[Record]) -> list[str]:
    """Name every invariant that does not hold, in any stage."""
    found = _sent(world.kafka, sent)
    for stage in subject.stages:
        with world.connect(stage.service) as connection:
            found += [*_positions(world.kafka, connection, stage), *_streams(connection)]
            if len(subject.stages) == 1:
                found += _accounts(connection, sent)
            for topic in stage.outputs:
                records = kafka.read_all(world.kafka, topic.name)
                if topic.kind is Kind.SEQUENCED_LOG:
                    found += _log(connection, topic, records)
                elif topic.kind is Kind.STATE:
                    found += _state(subject.versions(connection, topic.name), topic, records)
    return found


def at_end(world: World, stage: Stage) -> bool:
    """Tell whether everything was read and everything that came of it published."""
    with world.connect(stage.service) as connection:
        reached = {
            (topic, lane): offset
            for topic, lane, offset in connection.execute("SELECT topic, lane, next_offset FROM positions")
        }
        waiting = connection.execute("SELECT 1 FROM publications LIMIT 1").fetchone()
    return waiting is None and reached == kafka.ends(world.kafka, [topic.name for topic in stage.inputs])


def _sent(bootstrap: str, sent: Sequence[Record]) -> list[str]:
    """What the sender was told is acknowledged is what lies on the topics."""
    by_place = Counter((record.topic, record.lane) for record in sent)
    ends = kafka.ends(bootstrap, sorted({topic for topic, _ in by_place}))
    return [
        f"{topic}[{lane}]: {by_place[topic, lane]} records sent, {end} on the topic"
        for (topic, lane), end in ends.items()
        if end != by_place[topic, lane]
    ]


def _positions(bootstrap: str, connection: Connection, stage: Stage) -> list[str]:
    found = []
    names = [topic.name for topic in stage.inputs]
    ids, ends = topic_ids(bootstrap, names), kafka.ends(bootstrap, names)
    rows = connection.execute(_POSITIONS).fetchall()
    for topic, lane, topic_id, offset, records, events, accounted in rows:
        where = f"{stage.service}'s position of {topic}[{lane}]"
        if topic_id != ids[topic]:
            found.append(f"{where}: expected topic {ids[topic]}, found {topic_id}")
        if offset != ends[topic, lane]:
            found.append(f"{where}: expected the log's end {ends[topic, lane]}, found {offset}")
        if events != accounted:
            found.append(f"{where}: {events} events read, {accounted} accounted for")
        if records != ends[topic, lane]:
            found.append(f"{where}: {ends[topic, lane]} records on the topic, {records} read")
    missing = set(ends) - {(topic, lane) for topic, lane, *_ in rows}
    return found + [f"{stage.service} has no position of {topic}[{lane}]" for topic, lane in sorted(missing)]


def _accounts(connection: Connection, sent: Sequence[Record]) -> list[str]:
    """Each record is exactly one of applied, duplicate and dead; what was sent twice is a duplicate once."""
    row = connection.execute("SELECT sum(applied), sum(duplicate), sum(dead), sum(conflict + erased) FROM positions")
    dead = sum(record.poison for record in sent)
    applied = len({record.id for record in sent if not record.poison})
    wanted = (applied, len(sent) - dead - applied, dead, 0)
    got = tuple(map(int, row.fetchone() or ()))
    return [] if got == wanted else [f"applied, duplicate, dead, others: expected {wanted}, found {got}"]


def _streams(connection: Connection) -> list[str]:
    left = connection.execute("SELECT topic, lane, first_sequence FROM publications ORDER BY 1, 2, 3").fetchall()
    found = [f"publication of {topic}[{lane}] from {first} on is left" for topic, lane, first in left]
    behind = connection.execute(
        "SELECT topic, lane, next_sequence, published_sequence FROM streams WHERE next_sequence <> published_sequence"
    ).fetchall()
    return found + [f"stream {topic}[{lane}]: {taken} taken, {sent} published" for topic, lane, taken, sent in behind]


def _log(connection: Connection, topic: Topic, records: Sequence[OnTopic]) -> list[str]:
    """No sequence is skipped; what is repeated is repeated as it was; as many as were taken."""
    found = []
    taken: dict[int, int] = dict(
        connection.execute("SELECT lane, next_sequence FROM streams WHERE topic = %s", (topic.name,)).fetchall()
    )
    seen: dict[tuple[int, int], OnTopic] = {}
    following: Counter[int] = Counter()
    for record in records:
        number = record.number("ce_sequence")
        where = f"{topic.name}[{record.lane}] at {record.offset}"
        if number > following[record.lane]:
            found.append(f"{where}: expected sequence {following[record.lane]} at most, found {number}")
        first = seen.setdefault((record.lane, number), record)
        if (first.key, first.value) != (record.key, record.value):
            found.append(f"{where}: sequence {number} is repeated with another content")
        following[record.lane] = max(following[record.lane], number + 1)
    found += [
        f"{topic.name}[{lane}]: {taken.get(lane, 0)} sequences taken, {following[lane]} on the topic"
        for lane in sorted(set(taken) | set(following))
        if taken.get(lane, 0) != following[lane]
    ]
    return found[:10]


def _state(table: Mapping[bytes, int], topic: Topic, records: Sequence[OnTopic]) -> list[str]:
    """The greatest version of each key, and the last one on the topic, are the table's; one content per version."""
    found = []
    last: dict[bytes, int] = {}
    greatest: Counter[bytes] = Counter()
    contents: dict[tuple[bytes, int], bytes | None] = {}
    lanes: dict[bytes, int] = {}
    for record in records:
        version = record.number("ce_version")
        last[record.key] = version
        greatest[record.key] = max(greatest[record.key], version)
        if lanes.setdefault(record.key, record.lane) != record.lane:
            found.append(f"{topic.name}: a key lies in lanes {lanes[record.key]} and {record.lane}")
        if contents.setdefault((record.key, version), record.value) != record.value:
            found.append(f"{topic.name}[{record.lane}] at {record.offset}: version {version} has two contents")
    found += [
        f"{topic.name}: version of {key!r}: expected {table.get(key)}, found {last.get(key)} as the last, "
        f"{greatest[key]} as the greatest"
        for key in sorted(set(table) | set(last))
        if not table.get(key) == last.get(key) == greatest[key]
    ]
    return found[:10]
