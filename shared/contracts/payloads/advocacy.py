"""What is said by those who speak for us: referrals and reviews."""

import msgspec

from shared.contracts.vocabulary import Id, Number, Text


class AdvocacyPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `advocacy`: a referral or a review; `referred_email` is somebody else, so it identifies nobody."""

    review_id: Id | None = None
    product_id: Id | None = None
    order_id: Id | None = None
    rating: Number | None = None
    title: Text | None = None
    review_body: Text | None = None
    url: Text | None = None
    site: Text | None = None
    referral_id: Id | None = None
    referral_code: Id | None = None
    referred_email: Text | None = None
    channel: Text | None = None
