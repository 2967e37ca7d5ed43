"""How each family of the catalogue is sent: one declaration a family, and its reader made from it."""

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.forms import Form, FormReader
from services.ingest.domain.problems import Problem, Reason, Stage
from shared.contracts.catalogue import DEAL_STAGE_CHANGED, UNSUBSCRIBED, Family
from shared.contracts.identities import IdentityKind
from shared.contracts.payloads import PAYLOADS
from shared.contracts.payloads.care import SurveyMetric

_EMAIL = {"email": IdentityKind.EMAIL.value}
_REACHED = _EMAIL | {"phone": IdentityKind.PHONE.value}
# What somebody was called before signing in; a user id is never another's, so no alias makes two of them one.
_PREVIOUS = {"previous_id": IdentityKind.ANONYMOUS_ID.value}
_NAMED = _REACHED | {"crm_id": IdentityKind.CRM_ID.value}

_SCALES: Mapping[SurveyMetric, tuple[int, int, int, int]] = {
    SurveyMetric.NPS: (0, 10, 10, 10),
    SurveyMetric.CSAT: (1, 5, 2, 100),
    SurveyMetric.CES: (1, 7, 2, 100),
}
"""Of each metric: the lowest score, the usual top of the scale, and between what that top may lie."""


def _survey(taken: dict[str, Any]) -> Problem | None:
    """Hold an answer against its scale, and say which that is."""
    metric, score = taken.get("metric"), taken.get("score")
    if metric is None or score is None:
        return None
    lowest, usual, least, most = _SCALES[metric]
    scale = taken.setdefault("scale", usual)
    if not least <= scale <= most:
        return _outside("/scale", str(most) if least == most else f"from {least} to {most}", lower=scale < least)
    if not lowest <= score <= scale:
        return _outside("/score", f"from {lowest} to the top of the scale", lower=score < lowest)
    return None


def _outside(path: str, expected: str, *, lower: bool) -> Problem:
    found = "a lower number" if lower else "a greater number"
    return Problem(Stage.PAYLOAD, Reason.OUT_OF_RANGE, path, expected, found)


def _form(family: Family, **said: Any) -> FormReader:
    return FormReader(Form(PAYLOADS[family], **said))


READERS: Mapping[Family, FormReader] = {
    Family.VIEW: _form(Family.VIEW),
    Family.GROUP: _form(Family.GROUP),
    Family.ALIAS: _form(Family.ALIAS, people=_PREVIOUS),
    Family.BROWSE: _form(Family.BROWSE, people=_REACHED),
    # Segment's total, else its revenue, else its value.
    Family.ORDER: _form(Family.ORDER, spellings={"total": ("revenue", "value"), "lines": ("products",)}, people=_NAMED),
    Family.EMAIL: _form(Family.EMAIL, people=_EMAIL),
    Family.ACCOUNT: _form(Family.ACCOUNT, people=_NAMED),
    Family.TICKET: _form(Family.TICKET, people=_REACHED),
    Family.SURVEY: _form(Family.SURVEY, people=_EMAIL, check=_survey),
    Family.CONVERSATION: _form(Family.CONVERSATION, spellings={"duration": ("duration_seconds",)}, people=_REACHED),
    Family.LEAD: _form(Family.LEAD, people=_NAMED),
    Family.DEAL: _form(Family.DEAL, required={DEAL_STAGE_CHANGED: ("stage",)}),
    Family.SPEND: _form(Family.SPEND, spellings={"amount": ("spend", "cost")}),
    # Unsubscribed comes from a mail's link and names neither purpose nor channel.
    Family.CONSENT: _form(
        Family.CONSENT, people=_REACHED, defaults={UNSUBSCRIBED: {"purpose": "marketing", "channel": "email"}}
    ),
    Family.COMPLAINT: _form(Family.COMPLAINT, people=_REACHED),
    Family.ADVOCACY: _form(Family.ADVOCACY),
    Family.TASK: _form(Family.TASK),
}
"""The reader of each family but `identify`, whose members are traits, and `generic`, which has none of its own."""
