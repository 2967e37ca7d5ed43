"""The sections of a customer's record, each drawn from the part of the state that it is kept in."""

from collections.abc import Mapping
from datetime import datetime
from heapq import nsmallest
from typing import TypedDict

import msgspec

from services.profile.domain import notes
from services.profile.domain.notes import BOOKS_OF_CASES, Standing
from services.profile.domain.state import MailRegister, Register, State
from shared.contracts.codec import decode
from shared.contracts.customers import (
    MOST_ADDRESSES,
    Address,
    AddressState,
    Answer,
    Assigned,
    Case,
    Consent,
    Total,
    Trait,
)
from shared.contracts.identities import IdentityKind, IdentityRef, strength
from shared.contracts.money import Money, totals

UNSET = b"null"
_NONE_OPEN: Mapping[str, int] = {}
_CHANNELS = {IdentityKind.EMAIL.value: "email", IdentityKind.PHONE.value: "phone"}


class Pages(TypedDict):
    """The sections that are kept in registers, by the record's names for them."""

    answers: dict[str, Answer]
    open_tickets: tuple[Case, ...]
    open_complaints: tuple[Case, ...]
    open_deals: tuple[Case, ...]
    owner: Assigned | None
    account: Assigned | None


def identities(state: State) -> tuple[IdentityRef, ...]:
    """List identities, strongest first."""
    return tuple(sorted(state.identities.values(), key=strength))


def traits(state: State) -> dict[str, Trait]:
    """Show the traits that are set."""
    return {
        name: Trait(msgspec.Raw(register.value), register.source, register.at)
        for name, register in state.traits.items()
        if register.value != UNSET
    }


def consent(state: State) -> dict[str, Consent]:
    """Show the last word about each purpose on each channel."""
    return {subject: Consent(said.state, said.at) for subject, said in state.consent.items()}


def addresses(state: State) -> tuple[Address, ...]:
    """List where a customer can be reached, and what is known about mail to there."""
    known = [one for one in state.identities.values() if one.kind in _CHANNELS]
    if not known:
        return ()
    return tuple(
        Address(_CHANNELS[one.kind], one.value, *fate(state.mail.get(one.id)))
        for one in nsmallest(MOST_ADDRESSES, known, key=strength)
    )


def fate(mail: MailRegister | None) -> tuple[AddressState, datetime | None]:
    """Tell the state of an address, and since when: complaint and suppression stay, a later delivery ends a bounce."""
    if mail is None:
        return AddressState.UNVERIFIED, None
    if mail.suppressed_at is not None:
        return AddressState.SUPPRESSED, mail.suppressed_at
    if mail.complained_at is not None:
        return AddressState.COMPLAINED, mail.complained_at
    bounced, delivered = mail.bounced_at, mail.delivered_at
    if bounced is not None and (delivered is None or bounced >= delivered):
        return AddressState.BOUNCED, bounced
    return AddressState.VERIFIED, delivered


def totals_of(state: State) -> dict[str, Total]:
    """Show how often each thing happened, first and last, and what it came to."""
    return {
        name: Total(tally.count, tally.first_at, tally.last_at, totals(state.sums.get(name, {})))
        for name, tally in state.tallies.items()
    }


def pages(state: State) -> Pages:
    """Show what is kept in registers."""
    books = state.registers
    one = books.get(notes.ONE, {})
    return Pages(
        answers=_answers(state),
        open_tickets=_open(books, notes.TICKETS),
        open_complaints=_open(books, notes.COMPLAINTS),
        open_deals=_open(books, notes.DEALS),
        owner=_assigned(one.get(notes.OWNER)),
        account=_assigned(one.get(notes.ACCOUNT)),
    )


def open_counts(state: State) -> Mapping[str, int]:
    """Count the cases that are open, by book."""
    books = state.registers
    return {book: len(_open(books, book)) for book in BOOKS_OF_CASES if book in books} if books else _NONE_OPEN


def _open(books: Mapping[str, Mapping[str, Register]], book: str) -> tuple[Case, ...]:
    amounts = books.get(notes.DEAL_AMOUNTS, {}) if book == notes.DEALS else {}
    cases = []
    for name, register in sorted(books.get(book, {}).items()):
        standing = decode(Standing, register.value)
        if standing.open:
            amount = amounts.get(name)
            money = None if amount is None else decode(Money, amount.value)
            cases.append(Case(name, standing.status, register.at, standing.subject, money))
    return tuple(cases)


def _answers(state: State) -> dict[str, Answer]:
    answers = {}
    for metric, register in state.registers.get(notes.SURVEYS, {}).items():
        said = decode(notes.Answer, register.value)
        answers[metric] = Answer(state.tallies[metric].count, said.score, said.scale, register.at)
    return answers


def _assigned(register: Register | None) -> Assigned | None:
    return None if register is None else Assigned(decode(str, register.value), register.source, register.at)
