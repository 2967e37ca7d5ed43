"""What is said about mails and about pages: who got what, and what was looked at."""

import msgspec

from shared.contracts.vocabulary import Id, Text


class EmailPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `email`: one mail of a campaign; `email` is whom it was sent to, `link_url` what they clicked."""

    email: Text | None = None
    email_id: Id | None = None
    email_subject: Text | None = None
    campaign_id: Id | None = None
    campaign_name: Text | None = None
    link_id: Id | None = None
    link_url: Text | None = None
    bounce_type: Text | None = None
    reason: Text | None = None


class ViewPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `view`: a page or a screen."""

    name: Text | None = None
    category: Text | None = None
    url: Text | None = None
    path: Text | None = None
    title: Text | None = None
    referrer: Text | None = None
    search: Text | None = None
