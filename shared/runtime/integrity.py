"""Whether positions still mean something: same topic, and inside its log; otherwise stop with a named error."""

from collections.abc import Mapping
from uuid import UUID

from shared.runtime.errors import LogTruncatedError, RetentionPassedError, TopicRecreatedError
from shared.runtime.intake import Place, Position


def check_ids(known: Mapping[str, UUID], found: Mapping[str, UUID]) -> None:
    """Compare topic ids.

    Raises:
        TopicRecreatedError: a topic was deleted and created again.
    """
    for topic, topic_id in known.items():
        if found[topic] != topic_id:
            raise TopicRecreatedError(topic, str(topic_id), str(found[topic]))


def check_ranges(positions: Mapping[Place, Position], begins: Mapping[Place, int], ends: Mapping[Place, int]) -> None:
    """Compare positions with the logs' ends.

    Raises:
        RetentionPassedError: what was to be read next is deleted.
        LogTruncatedError: what was read is not there any more.
    """
    for (topic, lane), position in positions.items():
        begin, end = begins[topic, lane], ends[topic, lane]
        if position.next_offset < begin:
            raise RetentionPassedError(topic, lane, position.next_offset, begin)
        if position.next_offset > end:
            raise LogTruncatedError(topic, lane, position.next_offset, end)
