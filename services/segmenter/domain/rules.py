"""A rule is a typed tree: comparisons on the record, counts of events, and all, any, not of these."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from services.segmenter.domain import fields
from services.segmenter.domain.instants import written
from services.segmenter.domain.windows import Window, WrongWindowError, window

Literals: TypeAlias = str | int | Decimal | bool
"""What a rule may compare with. A time stays as it was written."""

MOST_IN_A_WINDOW = 9_999
"""The greatest number that a count within a window may be compared with: so many times are kept of each event."""

LONGEST_NAME = 200
"""Characters in the name of an event or the path of a field."""

_ORDERED = ("<", "<=", ">", ">=")


def expected(words: str) -> PydanticCustomError:
    """Make the error that says what should have stood here."""
    return PydanticCustomError("expected", "{words}", {"words": words})


def _text(value: Any) -> Any:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= LONGEST_NAME:
        raise expected(f"a text of 1 to {LONGEST_NAME} printable characters")
    return value


def _list_of_rules(value: Any) -> Any:
    if not isinstance(value, list | tuple) or not value:
        raise expected("a list of one rule or more")
    return value


def _field(path: str) -> str:
    if fields.field_at(path) is None:
        raise expected(fields.EXPECTED)
    return path


def _window(value: Any) -> Any:
    if isinstance(value, Window):
        return value
    try:
        return window(value if isinstance(value, str) else "")
    except WrongWindowError as wrong:
        raise expected(str(wrong)) from None


def _operator(value: Any, among: tuple[str, ...]) -> Any:
    if not isinstance(value, str) or value not in among:
        raise expected(f"one of {', '.join(among)} (in quotes)")
    return value


Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "exists"]
CountOperator = Literal["==", "!=", "<", "<=", ">", ">="]
_COUNTING = ("==", "!=", *_ORDERED)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class All(_Part):
    """True when each part is."""

    all: Annotated[tuple["Rule", ...], BeforeValidator(_list_of_rules)]


class AnyOf(_Part):
    """True when at least one part is."""

    any: Annotated[tuple["Rule", ...], BeforeValidator(_list_of_rules)]


class Not(_Part):
    """True when the part is not."""

    part: "Rule" = Field(alias="not")


class Compare(_Part):
    """Compare a field of the record with a value; nothing there makes all but `!=` false.

    A value of another type than the literal's equals it never and is neither less nor greater. `exists` takes no value.
    """

    field: Annotated[str, BeforeValidator(_text), AfterValidator(_field)]
    operator: Annotated[Operator, BeforeValidator(lambda value: _operator(value, (*_COUNTING, "in", "exists")))]
    value: Literals | tuple[Literals, ...] | None = Field(None, validate_default=True)

    @field_validator("value", mode="plain")
    @classmethod
    def _value_fits(cls, value: Any, info: ValidationInfo) -> Any:
        path, operator = info.data.get("field"), info.data.get("operator")
        if path is None or operator is None:
            return None  # what it should be depends on what is wrong already
        if operator == "exists":
            if value is not None:
                raise expected("no value beside exists")
            return None
        if operator != "in":
            return _literal(path, operator, value)
        if not isinstance(value, list | tuple) or not value:
            raise expected("a list of one value or more")
        return tuple(_literal(path, "in", item) for item in value)


class Count(_Part):
    """Compare how often an event happened, ever or within a window up to now, with a whole number."""

    count: Annotated[str, BeforeValidator(_text)]
    within: Annotated[Window | None, BeforeValidator(lambda value: None if value is None else _window(value))] = None
    operator: Annotated[CountOperator, BeforeValidator(lambda value: _operator(value, _COUNTING))]
    value: int

    @field_validator("value", mode="plain")
    @classmethod
    def _value_is_whole(cls, value: Any, info: ValidationInfo) -> int:
        most = MOST_IN_A_WINDOW if info.data.get("within") is not None else 10**12
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise expected(f"a whole number from 0 to {most}")
        return value


_KINDS: Mapping[str, type[BaseModel]] = {"all": All, "any": AnyOf, "not": Not, "field": Compare, "count": Count}
PARTS: Mapping[str, type[BaseModel]] = {f"<{key}>": kind for key, kind in _KINDS.items()}
"""Each kind of part by its tag; a tag stands in the path of an error, in brackets that no key has."""


def _tag(value: Any) -> str | None:
    for key, kind in _KINDS.items():
        if isinstance(value, kind) or (isinstance(value, dict) and key in value):
            return f"<{key}>"
    return None


Rule: TypeAlias = Annotated[
    Annotated[All, Tag("<all>")]
    | Annotated[AnyOf, Tag("<any>")]
    | Annotated[Not, Tag("<not>")]
    | Annotated[Compare, Tag("<field>")]
    | Annotated[Count, Tag("<count>")],
    Discriminator(
        _tag,
        custom_error_type="expected",
        custom_error_message="a mapping with one of the keys all, any, not, field, count",
    ),
]

for _kind in (All, AnyOf, Not):
    _kind.model_rebuild()


def _literal(path: str, operator: str, value: Any) -> Literals:
    field = fields.field_at(path)
    assert field is not None  # noqa: S101 - the path was checked before the value
    ordered = operator in _ORDERED
    if field.kind is fields.Kind.CHOICE and ordered:
        raise expected("==, !=, in or exists as the operator of this field")
    if not _LITERALS[field.kind](value, field, ordered):
        raise expected(_words(field, ordered=ordered))
    literal: Literals = value
    return literal


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and written(value) is not None


_LITERALS: Mapping[fields.Kind, Callable[[Any, fields.Field, bool], bool]] = {
    fields.Kind.NUMBER: lambda value, _field, _ordered: _is_number(value),
    fields.Kind.TIME: lambda value, _field, _ordered: _is_time(value),
    fields.Kind.CHOICE: lambda value, field, _ordered: isinstance(value, str) and value in field.choices,
    # Texts have no order that all sources would agree on; times written as texts do.
    fields.Kind.TRAIT: lambda value, _field, ordered: (
        _is_number(value) or (_is_time(value) if ordered else isinstance(value, str | bool))
    ),
}


def _words(field: fields.Field, *, ordered: bool) -> str:
    if field.kind is fields.Kind.CHOICE:
        return f"one of {', '.join(field.choices)}"
    if field.kind is fields.Kind.TRAIT and ordered:
        return f"{fields.Kind.NUMBER} or {fields.Kind.TIME}"
    return field.kind.value
