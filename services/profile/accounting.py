"""Accounts of a batch: what its events say of each, and which identities said so, joined before a row is touched."""

from collections.abc import Iterable, Mapping

import msgspec

from services.profile.domain.account import AccountState, account_of, join
from services.profile.domain.event import Event
from shared.contracts.catalogue import GROUP


class AccountSaid(msgspec.Struct, frozen=True):
    """What some events say about one account: their state, and their identities by the bytes of their ids."""

    state: AccountState
    identities: frozenset[bytes]


def said_of_accounts(events: Iterable[Event]) -> Mapping[str, AccountSaid]:
    """Return what these events say about accounts, by account: nothing for those that name none."""
    said: dict[str, AccountSaid] = {}
    for event in events:
        # By the name first: it is all that an event pays for accounts if it is about none.
        if event.interaction.name == GROUP and (found := account_of(event)) is not None:
            account_id, state = found
            known = said.get(account_id)
            who = frozenset((event.owner_key,))
            said[account_id] = (
                AccountSaid(state, who)
                if known is None
                else AccountSaid(join(known.state, state), known.identities | who)
            )
    return said
