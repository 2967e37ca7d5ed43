"""What the members of payloads are made of: each kind of value with its form on the wire."""

from typing import Annotated

from msgspec import Meta

LONGEST_ID = 255
LONGEST_TEXT = 16_384

Id = Annotated[str, Meta(max_length=LONGEST_ID, description="An identifier of the sender's.")]
Text = Annotated[str, Meta(max_length=LONGEST_TEXT, description="Text as it was sent.")]
Amount = Annotated[
    str,
    Meta(
        description="An exact decimal number as text.",
        extra_json_schema={"pattern": r"^[+-]?\d{1,18}(\.\d{1,12})?$"},
    ),
]
Moment = Annotated[str, Meta(description="A date, or a date-time with offset (RFC 3339), as it was sent.")]
Count = Annotated[int, Meta(ge=0, description="A whole number.")]
Number = Annotated[float, Meta(description="A number; on the wire with every digit that was sent.")]
Seconds = Annotated[float, Meta(ge=0, description="A length of time in seconds.")]
Scope = Annotated[str, Meta(max_length=LONGEST_ID, description="A name without a slash.")]
