"""Who a customer is now, case by case."""

import pytest

from services.engagement.domain.contact import Contact
from services.engagement.domain.following import Membership, believed, follow, greater
from tests.unit.services.engagement.records import person, record

ANNA, BEN = person(1), person(2)
TO_ANNA = {BEN: Membership(ANNA, 2)}
BEN_HERE = Contact(BEN, 4, record(2))
BEN_MOVED = Contact(BEN, 5, None, ANNA)
BEN_GONE = Contact(BEN, 6, None)
ANNA_BEFORE = Contact(ANNA, 8, record(1))
ANNA_AFTER = Contact(ANNA, 9, record(1, memberships={2: 2}))
ANNA_MOVED = Contact(ANNA, 10, None, person(3))


@pytest.mark.parametrize(
    ("own", "anna", "memberships", "found"),
    [
        pytest.param(BEN_HERE, None, {}, BEN_HERE, id="nothing was told"),
        pytest.param(BEN_MOVED, None, TO_ANNA, None, id="redirected to somebody unknown"),
        pytest.param(BEN_MOVED, ANNA_BEFORE, TO_ANNA, None, id="redirected to a record from before"),
        pytest.param(BEN_MOVED, ANNA_AFTER, TO_ANNA, ANNA_AFTER, id="redirected and told"),
        pytest.param(BEN_HERE, ANNA_AFTER, TO_ANNA, ANNA_AFTER, id="told before the redirect is read"),
        pytest.param(BEN_MOVED, ANNA_MOVED, TO_ANNA, None, id="the new customer moved on"),
        pytest.param(
            BEN_MOVED, ANNA_AFTER, {BEN: Membership(ANNA, 4)}, None, id="merged again, told of the first time"
        ),
        pytest.param(BEN_GONE, ANNA_BEFORE, TO_ANNA, BEN_GONE, id="gone"),
        pytest.param(BEN_GONE, None, {}, BEN_GONE, id="gone without ever having moved"),
        pytest.param(BEN_GONE, ANNA_AFTER, TO_ANNA, ANNA_AFTER, id="gone before, merged since"),
    ],
)
def test_a_customer_is_whoever_the_greatest_membership_and_that_one_s_record_say(
    own: Contact, anna: Contact | None, memberships: dict[str, Membership], found: Contact | None
) -> None:
    contacts = {BEN: own} if anna is None else {BEN: own, ANNA: anna}
    assert follow(own, contacts, memberships) == found


def test_back_at_itself_a_customer_is_itself_as_soon_as_its_record_says_so() -> None:
    back = Contact(BEN, 7, record(2, memberships={2: 3}))
    assert follow(back, {BEN: back, ANNA: ANNA_AFTER}, {BEN: Membership(BEN, 3)}) == back


def test_of_two_memberships_the_greater_is_believed_and_of_equals_always_the_same_one() -> None:
    one, other = Membership(ANNA, 2), Membership(BEN, 2)
    assert greater(one, other) == greater(other, one)
    assert greater(Membership(BEN, 3), one) == greater(one, Membership(BEN, 3)) == Membership(BEN, 3)
    assert believed({}, [(BEN, one), (BEN, Membership(BEN, 3)), (BEN, one)]) == {BEN: Membership(BEN, 3)}
