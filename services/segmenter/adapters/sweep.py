"""After a new definition every known customer is judged anew: the clock is set to now for each, a page at a time."""

from datetime import datetime

from shared.runtime.transaction import Transactions

PAGE = 2_000

# `least`, and no mark on the customer: to be swept twice, or to fall due meanwhile, changes nothing.
_SWEEP = """
    WITH page AS (
        SELECT lane, revision, customer_id FROM customers
        WHERE lane = %(lane)s AND revision < %(current)s AND (revision, customer_id) > (%(revision)s, %(customer_id)s)
        ORDER BY revision, customer_id LIMIT %(page)s
    ), woken AS (
        INSERT INTO due AS d (lane, key, at)
        SELECT lane, replace(customer_id::text, '-', ''), %(now)s FROM page ORDER BY customer_id
        ON CONFLICT (lane, key) DO UPDATE SET at = least(d.at, excluded.at)
    )
    SELECT revision, customer_id FROM page ORDER BY revision DESC, customer_id DESC LIMIT 1
"""
_FIRST = (-1, "00000000-0000-0000-0000-000000000000")


async def sweep(transactions: Transactions, lane: int, current: int, now: datetime) -> None:
    """Wake every customer of a held lane that a catalogue older than `current` judged last.

    Stopped half-way, it begins again with whoever owns the lane next: those settled by then are of this revision.

    Raises:
        FencedError: the lane is not ours any more.
    """
    at: tuple[int, str] | None = _FIRST
    while at is not None:
        revision, customer_id = at
        values = {
            "lane": lane,
            "current": current,
            "revision": revision,
            "customer_id": customer_id,
            "page": PAGE,
            "now": now,
        }
        async with transactions.begin([lane]) as transaction:
            cursor = await transaction.connection.execute(_SWEEP, values)
            at = await cursor.fetchone()
