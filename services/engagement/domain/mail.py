"""One mail as it goes over the wire: text, HTML if there is any, and headers that nobody can break out of."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import lru_cache
from typing import Any

from services.engagement.domain.campaign import Campaign, Letter, Sender
from services.engagement.domain.contact import Contact
from services.engagement.domain.templates import Template, TemplateError

LONGEST_SUBJECT = 500
LONGEST_PLAIN_HEADER = 60
LONGEST_LINE = 900


@dataclass(frozen=True, slots=True, repr=False)
class Rendered:
    """A letter with everything filled in."""

    subject: str
    text: str
    html: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Mail:
    """What is handed to the mail server: envelope addresses and the message's bytes."""

    key: str
    sender: str
    recipient: str
    content: bytes


def render(campaign: Campaign, contact: Contact) -> Rendered:
    """Fill a campaign's templates in for one customer.

    Raises:
        TemplateError: names the template, the place and the variable; also for a subject with a line break, which could
            add headers.
    """
    letter = campaign.letter
    values = {
        "customer": contact.values(),
        "segment": {"name": campaign.trigger.segment},
        "campaign": {"name": campaign.name},
    }
    subject = _subject(letter, values)
    text = _part("text", letter.text, values)
    html = None if letter.html is None else _part("html", letter.html, values)
    return Rendered(subject, text, html)


def compose(
    entry_key: str, message_id: str, campaign: Campaign, address: str, rendered: Rendered, at: datetime
) -> Mail:
    """Build the mail of a message (RFC 5322, 2045 to 2047): the same arguments give the same bytes.

    Written by hand because `email.message` takes 2.6 ms for a mail, this 0.03. `address` must have passed
    `is_deliverable` and the subject `render`: nothing here can hold a line break.
    """
    sender = campaign.letter.sender
    lines = [
        f"From: {_mailbox(sender)}",
        f"To: {address}",
        f"Subject: {_header_text(rendered.subject)}",
        f"Date: {format_datetime(at)}",
        f"Message-ID: {message_id}",
        f"X-Rapport-Message: {entry_key}",
        "MIME-Version: 1.0",
    ]
    if rendered.html is None:
        lines += _body("plain", rendered.text)
    else:
        boundary = f"=_{entry_key}"
        lines += (
            f'Content-Type: multipart/alternative; boundary="{boundary}"',
            "",
            f"--{boundary}",
            *_body("plain", rendered.text),
            f"--{boundary}",
            *_body("html", rendered.html),
            f"--{boundary}--",
        )
    lines.append("")
    return Mail(entry_key, sender.address, address, "\r\n".join(lines).encode("ascii"))


@lru_cache(maxsize=256)
def _mailbox(sender: Sender) -> str:
    if not sender.name:
        return sender.address
    return formataddr((sender.name, sender.address), charset="utf-8")


def _header_text(text: str) -> str:
    # What is plain and fits a line stands as it is; `=?` would be read as an encoded word.
    if text.isascii() and len(text) <= LONGEST_PLAIN_HEADER and "=?" not in text:
        return text
    return Header(text, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _body(subtype: str, text: str) -> list[str]:
    lines = text.splitlines()
    if text.isascii() and all(len(line) <= LONGEST_LINE and line.replace("\t", " ").isprintable() for line in lines):
        return [f'Content-Type: text/{subtype}; charset="us-ascii"', "Content-Transfer-Encoding: 7bit", "", *lines]
    encoded = base64.encodebytes("\r\n".join(lines).encode()).decode("ascii").splitlines()
    return [f'Content-Type: text/{subtype}; charset="utf-8"', "Content-Transfer-Encoding: base64", "", *encoded]


def _subject(letter: Letter, values: Mapping[str, Any]) -> str:
    subject = _part("subject", letter.subject, values).strip()
    if any(ord(character) < ord(" ") or character in "\x7f\x85\u2028\u2029" for character in subject):
        raise TemplateError("subject: expected one line without control characters")
    if not 0 < len(subject) <= LONGEST_SUBJECT:
        raise TemplateError(f"subject: expected 1 to {LONGEST_SUBJECT} characters, got {len(subject)}")
    return subject


def _part(name: str, template: Template, values: Mapping[str, Any]) -> str:
    try:
        filled = template.render(values)
    except TemplateError as error:
        raise TemplateError(f"{name}: {error}") from None
    return filled
