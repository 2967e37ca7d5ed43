"""Whom an event is about: every identifier that it names, strongest first, or why nobody is named."""

from collections.abc import Sequence

from services.ingest.domain.draft import Draft
from services.ingest.domain.identities import Blocked, Claim, Identities
from services.ingest.domain.problems import Problem, Reason, Stage
from shared.contracts.identities import IdentityKind, IdentityRef, strength

_USER_ID = IdentityKind.USER_ID.value
_ANONYMOUS_ID = IdentityKind.ANONYMOUS_ID.value
_OWN = frozenset({_USER_ID, _ANONYMOUS_ID})


def identify(
    draft: Draft, claims: Sequence[Claim], identities: Identities, region: str | None
) -> tuple[IdentityRef, ...] | Problem:
    """Collect the identities of an event, strongest first, each once.

    Ids that cannot be read refuse the event. Of the claims, one that cannot be read is left out, for a typo in a phone
    number must not cost an order; if then nobody is left, it is what refuses the event. `region` is where a telephone
    number without a country code is dialled.
    """
    paths = draft.paths
    user = identities.read(_USER_ID, draft.user_id)
    anonymous = identities.read(_ANONYMOUS_ID, draft.anonymous_id)
    own = [one for one in (user, anonymous) if type(one) is IdentityRef]
    if isinstance(user, Problem):
        return user.under(paths.user_id)
    if isinstance(anonymous, Problem):
        return anonymous.under(paths.anonymous_id)
    if own and not claims:
        return tuple(own)
    found = {one.id: one for one in own}
    wrong = _add(found, claims, identities, region)
    if found:
        return tuple(sorted(found.values(), key=strength))
    if isinstance(wrong, Problem):
        return wrong
    if isinstance(anonymous, Blocked):
        wrong = paths.anonymous_id
    elif isinstance(user, Blocked):
        wrong = paths.user_id
    why = "nothing" if wrong is None else "a value that stands for nobody"
    expected = "a user id, an anonymous id or another identifier"
    return Problem(Stage.IDENTITY, Reason.NO_IDENTITY, wrong or paths.user_id, expected, why)


def _add(
    found: dict[str, IdentityRef], claims: Sequence[Claim], identities: Identities, region: str | None
) -> Problem | str | None:
    """Add what the claims name; return why one names nobody, or the path of one that stands for nobody."""
    # An id that the event itself has is not questioned by one that stands elsewhere in it.
    settled = {one.kind for one in found.values()} & _OWN
    wrong: Problem | None = None
    blocked: str | None = None
    for claim in claims:
        if claim.kind in settled:
            continue
        one = identities.read(claim.kind, claim.value, region)
        if isinstance(one, IdentityRef):
            found[one.id] = one
        elif isinstance(one, Problem):
            wrong = wrong or one.under(claim.path)
        elif isinstance(one, Blocked):
            blocked = blocked or claim.path
    return wrong or blocked
