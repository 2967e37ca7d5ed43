"""What an event says, by its family: one struct each; members that a struct does not name stay beside those it does."""

from collections.abc import Mapping

import msgspec

from shared.contracts.catalogue import Family
from shared.contracts.interactions import ConsentPayload, IdentifyPayload, OrderPayload
from shared.contracts.payloads.accounts import AccountPayload, AliasPayload, GroupPayload
from shared.contracts.payloads.advocacy import AdvocacyPayload
from shared.contracts.payloads.care import ComplaintPayload, ConversationPayload, SurveyPayload, TicketPayload
from shared.contracts.payloads.commerce import BrowsePayload
from shared.contracts.payloads.messaging import EmailPayload, ViewPayload
from shared.contracts.payloads.sales import DealPayload, LeadPayload, SpendPayload, TaskPayload

PAYLOADS: Mapping[Family, type[msgspec.Struct]] = {
    Family.IDENTIFY: IdentifyPayload,
    Family.VIEW: ViewPayload,
    Family.GROUP: GroupPayload,
    Family.ALIAS: AliasPayload,
    Family.BROWSE: BrowsePayload,
    Family.ORDER: OrderPayload,
    Family.EMAIL: EmailPayload,
    Family.ACCOUNT: AccountPayload,
    Family.TICKET: TicketPayload,
    Family.SURVEY: SurveyPayload,
    Family.CONVERSATION: ConversationPayload,
    Family.LEAD: LeadPayload,
    Family.DEAL: DealPayload,
    Family.SPEND: SpendPayload,
    Family.CONSENT: ConsentPayload,
    Family.COMPLAINT: ComplaintPayload,
    Family.ADVOCACY: AdvocacyPayload,
    Family.TASK: TaskPayload,
}
"""The payload of each family; `generic` is an object of any shape."""
