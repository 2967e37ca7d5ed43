"""Topics as tests read them: whole, from where they begin or from a mark to where they end now."""

from collections.abc import Mapping, Sequence

from shared.runtime.intake import Place
from shared.runtime.kafka_input import ends, new_reader, partitions, poll
from shared.runtime.records import Record
from shared.runtime.settings import RuntimeSettings


async def ends_of(settings: RuntimeSettings, places: Sequence[Place]) -> dict[Place, int]:
    """Return where partitions end now: a mark to read from later."""
    reader = new_reader(settings)
    await reader.start()
    try:
        return await ends(reader, places)
    finally:
        await reader.stop()


async def records_of(
    settings: RuntimeSettings, places: Sequence[Place], begin: Mapping[Place, int] | None = None
) -> list[Record]:
    """Return the records of partitions, one partition after the other, from `begin` on where it names an offset."""
    reader = new_reader(settings)
    await reader.start()
    try:
        reader.assign(partitions(places))
        await reader.seek_to_beginning()
        upto = await ends(reader, places)
        for tp in reader.assignment():
            if begin and (tp.topic, tp.partition) in begin:
                reader.seek(tp, begin[tp.topic, tp.partition])
        found: list[Record] = []
        while any([await reader.position(tp) < upto[tp.topic, tp.partition] for tp in reader.assignment()]):
            for records in (await poll(reader, 1, 10_000)).values():
                found += records
    finally:
        await reader.stop()
    return sorted(found, key=lambda record: (record.partition, record.offset))
