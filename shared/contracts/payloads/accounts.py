"""What is said about accounts: a person's own, and the company they belong to."""

import msgspec

from shared.contracts.vocabulary import Id, Moment, Text


class AccountPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `account`: an account was made, used or given up, or a trial of it began or ended."""

    account_id: Id | None = None
    account_name: Text | None = None
    plan: Text | None = None
    type: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    crm_id: Id | None = None
    username: Text | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    title: Text | None = None
    trial_plan_name: Text | None = None
    trial_start_date: Moment | None = None
    trial_end_date: Moment | None = None


class GroupPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `group`: the company or team that a person belongs to, with its traits.

    E-mail and phone are the company's, so they identify nobody; `employees` is text, for many say `11-50`.
    """

    group_id: Id
    name: Text | None = None
    industry: Text | None = None
    employees: Text | None = None
    plan: Text | None = None
    website: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    description: Text | None = None
    created_at: Moment | None = None


class AliasPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `alias`: who a person was before."""

    previous_id: Id
