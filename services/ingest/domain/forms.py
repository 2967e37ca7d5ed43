"""The reader of a payload is made from its struct: which members it has, how each is read, and what must be there."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import NoneType
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

import msgspec

from services.ingest.domain import money
from services.ingest.domain.decoding import encode_object
from services.ingest.domain.identities import Claim
from services.ingest.domain.members import READERS, Read, one_of
from services.ingest.domain.problems import Problem, Reason, Stage, type_of
from shared.contracts.money import Money

Check: TypeAlias = Callable[[dict[str, Any]], Problem | None]
"""Looks at what stands between members, and may fill in what follows from them; the problem's path begins at them."""

_CURRENCY = "currency"


@dataclass(frozen=True, slots=True)
class Form:
    """How the payload of a family is written by those who send it.

    `spellings` are other names of a member, of which the first that is there counts; each member is also known by its
    name in camelCase. `required` are members that an event of that name must have, beside those that the struct has no
    default for; `defaults` holds what they are if they are not there. `people` are members that identify the person.
    """

    kind: type[msgspec.Struct]
    spellings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)
    check: Check | None = None


class Said(msgspec.Struct, frozen=True, gc=False):
    """What an event says, as canonical JSON, and the identifiers that it claims."""

    text: bytes
    claims: tuple[Claim, ...] = ()
    country: str | None = None


_Member: TypeAlias = tuple[str, str, Read, bool, tuple[str, ...]]
"""A member's name, its path and reader, whether it is money, and the spellings that count before this one."""


class FormReader:
    """Reads the members of one family's payloads; made once."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._members = dict(_members(form))
        self.spellings: Mapping[str, str] = {spelt: member[0] for spelt, member in self._members.items()}
        self.kinds: Mapping[str, Any] = get_type_hints(form.kind, include_extras=True)
        fields = msgspec.structs.fields(form.kind)
        self._always = tuple(one.name for one in fields if one.required)

    def read(self, name: str, members: Mapping[str, Any], path: str) -> Said | Problem:
        """Read an event's members: those the struct names, checked and in its order, then all others by name."""
        form = self._form
        taken, others = self.take(members)
        if isinstance(others, Problem):
            return others.under(path)
        if name in form.defaults:
            taken = {**form.defaults[name], **taken}
        found = form.check(taken) if form.check else None
        if found is None and (self._always or form.required):
            found = self._missing(name, taken, members)
        if found is not None:
            return found.under(path)
        text = encoded(form.kind(**taken), others, path)
        if isinstance(text, Problem):
            return text
        if not form.people:
            return Said(text)
        claims = [Claim(kind, taken[one], f"{path}/{one}") for one, kind in form.people.items() if one in taken]
        return Said(text, tuple(claims)) if claims else Said(text)

    def required(self, name: str) -> tuple[str, ...]:
        """Name the members that an event of that name must have."""
        return (*self._always, *self._form.required.get(name, ()))

    @property
    def has_check(self) -> bool:
        """Tell whether members are held against each other."""
        return self._form.check is not None

    def take(self, members: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | Problem]:
        """Split members into those the struct names, read, and all others as they are."""
        known, priced = self._members, False
        taken: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for spelt, value in members.items():
            member = known.get(spelt)
            if member is None:
                others[spelt] = value
                continue
            if value is None:
                continue
            name, path, read, is_money, better = member
            if better and any(members.get(one) is not None for one in better):
                others[spelt] = value
                continue
            found = read(value, path)
            if found is None:
                continue
            if is_money and not isinstance(found, Problem):
                found, priced = _priced(found, members.get(_CURRENCY)), True
            if isinstance(found, Problem):
                return taken, found
            taken[name] = found
        if priced and _CURRENCY in others:
            del others[_CURRENCY]
        return taken, others

    def _missing(self, name: str, taken: Mapping[str, Any], members: Mapping[str, Any]) -> Problem | None:
        for member in self.required(name):
            if member not in taken:
                found = "nothing" if members.get(member) is None else "an empty string"
                return Problem(Stage.PAYLOAD, Reason.MISSING, f"/{member}", "a value", found)
        return None


def encoded(said: msgspec.Struct, others: Mapping[str, Any], path: str) -> bytes | Problem:
    """Write a struct and, after its members, all others in the order of their names."""
    text = encode_object(said, path)
    if not others or isinstance(text, Problem):
        return text
    rest = encode_object(others, path)
    if isinstance(rest, Problem):
        return rest
    return rest if text == b"{}" else text[:-1] + b"," + rest[1:]


def _priced(amount: str, code: Any) -> Money | Problem:
    if code is not None and not isinstance(code, str):
        return Problem(Stage.PAYLOAD, Reason.WRONG_TYPE, f"/{_CURRENCY}", "string", type_of(code))
    currency = money.currency(code, f"/{_CURRENCY}")
    return currency if isinstance(currency, Problem) else Money(amount, currency)


def _members(form: Form) -> Iterator[tuple[str, _Member]]:
    for name, kind in get_type_hints(form.kind, include_extras=True).items():
        read, is_money = _reader_of(kind)
        spelt = [name, *form.spellings.get(name, ())]
        spelt += [camel for camel in map(_camel, tuple(spelt)) if camel not in spelt]
        for rank, spelling in enumerate(spelt):
            yield spelling, (name, f"/{spelling}", read, is_money, tuple(spelt[:rank]))


def _reader_of(kind: Any) -> tuple[Read, bool]:
    """Find the reader of a member by its type; a type that has none is a mistake of ours, found at the start."""
    (plain,) = (one for one in get_args(kind) if one is not NoneType) if NoneType in get_args(kind) else (kind,)
    if plain is Money:
        return money.amount, True
    if get_origin(plain) is tuple:
        return _lines(get_args(plain)[0]), False
    if isinstance(plain, type) and issubclass(plain, StrEnum):
        return one_of(plain), False
    return READERS[plain], False


def _lines(kind: type[msgspec.Struct]) -> Read:
    take = FormReader(Form(kind)).take

    def read_line(members: Mapping[str, Any]) -> msgspec.Struct | msgspec.Raw | Problem:
        taken, others = take(members)
        if isinstance(others, Problem):
            return others
        if not others:
            return kind(**taken)
        text = encoded(kind(**taken), others, "")
        return text if isinstance(text, Problem) else msgspec.Raw(text)

    def read(value: Any, path: str) -> tuple[msgspec.Struct | msgspec.Raw, ...] | Problem:
        if not isinstance(value, list):
            return Problem(Stage.PAYLOAD, Reason.WRONG_TYPE, path, "array", type_of(value))
        lines: list[msgspec.Struct | msgspec.Raw] = []
        for index, members in enumerate(value):
            line = read_line(members) if isinstance(members, dict) else _no_object(members)
            if isinstance(line, Problem):
                return line.under(f"{path}/{index}")
            lines.append(line)
        return tuple(lines)

    return read


def _no_object(value: Any) -> Problem:
    return Problem(Stage.PAYLOAD, Reason.WRONG_TYPE, "", "object", type_of(value))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
