"""The account record: a company or team as those who belong to it described it."""

from datetime import datetime

import msgspec

from shared.contracts.customers import Trait


class AccountRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One account by the id that its sender gives it; each trait is the last that was said of it."""

    account_id: str
    traits: dict[str, Trait]
    first_at: datetime
    last_at: datetime
