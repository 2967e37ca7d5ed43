"""What a segment may be called: its name stands in message keys and metric labels."""

import re

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


def is_segment_name(text: str) -> bool:
    """Tell whether a text may name a segment."""
    return _NAME.fullmatch(text) is not None
