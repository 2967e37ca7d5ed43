"""The parts that states are made of, each with a join that commutes, associates and keeps within a bound.

Of too many, those written last stay (or the least names, where nothing is written twice). That commutes too: whatever
is dropped ranks below as many others, whose ranks only ever rise.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Context, Decimal, Inexact
from heapq import nlargest, nsmallest

from services.profile.domain.state import ConsentRegister, MailRegister, Register, TallyRegister
from shared.contracts.customers import ConsentStatus
from shared.contracts.identities import IdentityRef, strength

# The usual 28 digits would round a sum of large and small amounts, and then the order of adding shows.
MONEY = Context(prec=60, traps=[Inexact])
_add = MONEY.add

_Rank = tuple[datetime, str, str, bytes]


def written(known: Mapping[str, Register], writes: Iterable[tuple[str, Register]], most: int) -> dict[str, Register]:
    """Write to names: the write that is last by (event time, message id, source, value) stays."""
    kept = dict(known)
    for name, register in writes:
        before = kept.get(name)
        if before is None or _rank(register) > _rank(before):
            kept[name] = register
    return kept if len(kept) <= most else dict(nlargest(most, kept.items(), key=_named_rank))


def _rank(register: Register) -> _Rank:
    return (register.at, register.message_id, register.source, register.value)


def _named_rank(named: tuple[str, Register]) -> tuple[_Rank, str]:
    name, register = named
    return _rank(register), name


def heard(
    known: Mapping[str, ConsentRegister], words: Iterable[tuple[str, ConsentRegister]], most: int
) -> Mapping[str, ConsentRegister]:
    """Hear words about subjects of consent: the last one counts, and of two at once the withdrawal."""
    kept: dict[str, ConsentRegister] | None = None
    for subject, said in words:
        before = known.get(subject) if kept is None else kept.get(subject)
        later = before is None or said.at > before.at
        tie_taken_back = (
            before is not None
            and said.at == before.at
            and said.state is ConsentStatus.WITHDRAWN
            and before.state is not ConsentStatus.WITHDRAWN
        )
        if later or tie_taken_back:
            kept = dict(known) if kept is None else kept
            kept[subject] = said
    if kept is None:
        return known
    return kept if len(kept) <= most else dict(nlargest(most, kept.items(), key=_consent_rank))


def _consent_rank(consent: tuple[str, ConsentRegister]) -> tuple[datetime, bool, str]:
    subject, register = consent
    return register.at, register.state is ConsentStatus.WITHDRAWN, subject


def united(known: Mapping[str, IdentityRef], also: Iterable[IdentityRef], most: int) -> Mapping[str, IdentityRef]:
    """Unite identities; of too many the strongest stay."""
    kept: dict[str, IdentityRef] | None = None
    for identity in also:
        before = known.get(identity.id) if kept is None else kept.get(identity.id)
        # Two values under one id break the contract; the lesser one stays, so that their order still does not matter.
        if before is None or (identity.kind, identity.value) < (before.kind, before.value):
            kept = dict(known) if kept is None else kept
            kept[identity.id] = identity
    if kept is None:
        return known
    if len(kept) > most:
        kept = {one.id: one for one in nsmallest(most, kept.values(), key=strength)}
    return known if kept == known else kept


def summed(known: Mapping[str, Decimal], also: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Add amounts by currency, exactly."""
    kept = dict(known)
    for currency, amount in also.items():
        before = kept.get(currency)
        kept[currency] = amount if before is None else _add(before, amount)
    return kept


def tallied(known: TallyRegister | None, also: TallyRegister) -> TallyRegister:
    """Add up how often, and widen from when to when."""
    if known is None:
        return also
    return TallyRegister(known.count + also.count, min(known.first_at, also.first_at), max(known.last_at, also.last_at))


def counted(known: TallyRegister | None, at: datetime) -> TallyRegister:
    """Count one more, at a time."""
    if known is None:
        return TallyRegister(1, at, at)
    first, last = known.first_at, known.last_at
    return TallyRegister(known.count + 1, min(at, first), max(at, last))


def mailed(known: MailRegister | None, also: MailRegister) -> MailRegister:
    """Keep the last time of each thing that happened to an address."""
    if known is None:
        return also
    return MailRegister(
        last(known.delivered_at, also.delivered_at),
        last(known.bounced_at, also.bounced_at),
        last(known.complained_at, also.complained_at),
        last(known.suppressed_at, also.suppressed_at),
    )


def addresses(
    known: Mapping[str, MailRegister], also: Iterable[tuple[str, MailRegister]], most: int
) -> dict[str, MailRegister]:
    """Join what happened to addresses; of too many, those with the least ids stay: no complaint is half kept."""
    kept = dict(known)
    for name, mail in also:
        kept[name] = mailed(kept.get(name), mail)
    return kept if len(kept) <= most else dict(nsmallest(most, kept.items(), key=_name))


def _name(named: tuple[str, MailRegister]) -> str:
    return named[0]


def first(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the earlier of two times, if there is one."""
    if one is None or other is None:
        return one or other
    return min(one, other)


def last(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later of two times, if there is one."""
    if one is None or other is None:
        return one or other
    return max(one, other)
