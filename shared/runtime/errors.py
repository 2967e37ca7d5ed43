"""What can go wrong, by what to do about it: try again, set the event aside, or stop."""


class RapportError(Exception):
    """The root of every error that we raise; its text says what is wrong and what to do."""


class TransientError(RapportError):
    """It may work the next time: the batch is rolled back, read again from its committed position and retried."""


class PoisonError(RapportError):
    """One event can never be applied: it goes to the dead letters, the rest of the batch goes on."""


class FatalError(RapportError):
    """Going on would lose or repeat effects: the service stops and says why."""


class FencedError(TransientError):
    """A lane has a newer owner: everything cached is dropped and the group is joined anew before the next claim."""

    def __init__(self, group: str, lanes: list[int]) -> None:
        super().__init__(f"lanes {lanes} of {group} have a newer owner")
        self.lanes = lanes


class StaleStateError(TransientError):
    """A row changed between load and save: the batch is redone on what is there now."""


class PositionMovedError(TransientError):
    """The committed position is not where this batch was read from: positions are loaded anew."""


class FuseBlownError(FatalError):
    """Too many events of a stretch were dead: more likely a bad deploy than so many bad events."""

    def __init__(self, dead: int, of: int, reasons: dict[str, int]) -> None:
        worst = ", ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items(), key=lambda r: -r[1])[:3])
        super().__init__(
            f"{dead} of the last {of} events could not be applied ({worst}); nothing of this batch was committed. "
            "Mend the cause and start again; if they really are bad, raise CRM_FUSE_MIN_EVENTS and CRM_FUSE_RUN."
        )


class SequenceGapError(FatalError):
    """A sequenced log skips a number: a message was lost."""

    def __init__(self, topic: str, lane: int, expected: int, found: int) -> None:
        super().__init__(
            f"{topic}[{lane}]: expected sequence {expected}, found {found}: messages are missing. "
            "Restore the topic or reset the position on purpose."
        )


class OffsetGapError(FatalError):
    """Offsets are missing where this topic can have no gaps."""

    def __init__(self, topic: str, lane: int, expected: int, found: int) -> None:
        super().__init__(f"{topic}[{lane}]: expected offset {expected}, found {found}: records are missing")


class RetentionPassedError(FatalError):
    """Records were deleted by retention before they were read."""

    def __init__(self, topic: str, lane: int, position: int, begin: int) -> None:
        super().__init__(
            f"{topic}[{lane}]: position {position} is before the log's start {begin}: retention deleted what was not "
            "yet read. Accept the loss by moving the position on purpose, or restore the topic."
        )


class LogTruncatedError(FatalError):
    """The log ends before our position: it was cut or replaced."""

    def __init__(self, topic: str, lane: int, position: int, end: int) -> None:
        super().__init__(f"{topic}[{lane}]: position {position} is past the log's end {end}: the log was cut")


class TopicRecreatedError(FatalError):
    """A topic of the same name is not the one we read from."""

    def __init__(self, topic: str, known: str, found: str) -> None:
        super().__init__(
            f"{topic} was deleted and created again (id {known} became {found}): positions in it mean nothing now. "
            "Delete its position rows to read the new topic from its start."
        )


class RowMissingError(FatalError):
    """A committed publication cannot be rendered: rows that it was made from are gone."""

    def __init__(self, topic: str, lane: int, missing: int) -> None:
        super().__init__(
            f"{topic}[{lane}]: {missing} rows that are to be published are not in the tables any more. "
            "Restore them: a log must not skip a number."
        )


class TopicMissingError(FatalError):
    """A topic that this service needs is not there."""

    def __init__(self, topics: list[str]) -> None:
        super().__init__(f"missing topics: {', '.join(topics)}. Run `rapport migrate` to create them.")
