"""The event names understood out of the box, by the family that tells what an event is about."""

from enum import StrEnum


class Family(StrEnum):
    """What an event is about, and so which payload it has."""

    IDENTIFY = "identify"
    VIEW = "view"
    GROUP = "group"
    ALIAS = "alias"
    BROWSE = "browse"
    ORDER = "order"
    EMAIL = "email"
    ACCOUNT = "account"
    TICKET = "ticket"
    SURVEY = "survey"
    CONVERSATION = "conversation"
    LEAD = "lead"
    DEAL = "deal"
    SPEND = "spend"
    CONSENT = "consent"
    COMPLAINT = "complaint"
    ADVOCACY = "advocacy"
    TASK = "task"
    GENERIC = "generic"


IDENTIFY = "Identify"
PAGE = "Page Viewed"
SCREEN = "Screen Viewed"
GROUP = "Group Joined"
ALIAS = "Alias Requested"
ORDER_COMPLETED = "Order Completed"
CONSENT_GIVEN = "Consent Given"
CONSENT_WITHDRAWN = "Consent Withdrawn"
UNSUBSCRIBED = "Unsubscribed"
DEAL_STAGE_CHANGED = "Deal Stage Changed"

_NAMES: dict[Family, tuple[str, ...]] = {
    Family.IDENTIFY: (IDENTIFY,),
    Family.VIEW: (PAGE, SCREEN),
    Family.GROUP: (GROUP,),
    Family.ALIAS: (ALIAS,),
    Family.BROWSE: (
        "Products Searched",
        "Product Viewed",
        "Product Added",
        "Product Removed",
        "Cart Viewed",
        "Checkout Started",
    ),
    Family.ORDER: (ORDER_COMPLETED, "Order Updated", "Order Refunded", "Order Cancelled"),
    Family.EMAIL: (
        "Email Delivered",
        "Email Opened",
        "Email Link Clicked",
        "Email Bounced",
        "Email Marked as Spam",
    ),
    Family.ACCOUNT: (
        "Account Created",
        "Account Deleted",
        "Signed Up",
        "Signed In",
        "Trial Started",
        "Trial Ended",
    ),
    Family.TICKET: ("Ticket Opened", "Ticket Replied", "Ticket Resolved", "Ticket Reopened"),
    Family.SURVEY: ("Survey Answered",),
    Family.CONVERSATION: ("Call Logged", "Chat Ended", "Meeting Held"),
    Family.LEAD: ("Lead Created", "Lead Qualified"),
    Family.DEAL: (DEAL_STAGE_CHANGED, "Deal Won", "Deal Lost"),
    Family.SPEND: ("Marketing Spend Recorded",),
    Family.CONSENT: (CONSENT_GIVEN, CONSENT_WITHDRAWN, UNSUBSCRIBED),
    Family.COMPLAINT: ("Complaint Opened", "Complaint Closed"),
    Family.ADVOCACY: ("Referral Made", "Review Posted", "Product Reviewed"),
    Family.TASK: ("Task Completed",),
}

FAMILY_OF: dict[str, Family] = {name: family for family, names in _NAMES.items() for name in names}
"""Each known event name with its family."""


def family_of(name: str) -> Family:
    """Tell an event's family by its name; an unknown name is `generic`, never an error."""
    return FAMILY_OF.get(name, Family.GENERIC)


def is_known(name: str) -> bool:
    """Tell whether the catalogue has that event name; a strict source may send no other."""
    return name in FAMILY_OF
