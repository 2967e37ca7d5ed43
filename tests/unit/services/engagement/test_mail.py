"""The mail on the wire: an independent reader finds what was meant, and nothing can break out of a header."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.engagement.domain.campaign import Sender
from services.engagement.domain.contact import Contact
from services.engagement.domain.mail import Rendered, compose, render
from services.engagement.domain.templates import Template, TemplateError
from shared.contracts.customers import Orders
from shared.contracts.money import Money
from tests.unit.services.engagement.records import NOON, campaign, person, record

KEY = "ab" * 16


def read(rendered: Rendered, sender: Sender | None = None) -> EmailMessage:
    made = campaign()
    if sender is not None:
        made = replace(made, letter=replace(made.letter, sender=sender))
    mail = compose(KEY, f"<{KEY}@example.com>", made, "eva@example.com", rendered, NOON)
    assert all(len(line) <= 998 for line in mail.content.split(b"\r\n"))
    assert b"\n" not in mail.content.replace(b"\r\n", b"")
    return message_from_bytes(mail.content, policy=policy.default)


def test_the_shipped_campaign_is_one_mail_of_text_and_html() -> None:
    mail = read(render(campaign(), Contact(person(1), 1, record(first_name="Eva & Söhne"))))
    assert mail["From"] == "The Shop <shop@example.com>"
    assert mail["To"] == "eva@example.com"
    assert mail["Subject"] == "Welcome back, Eva & Söhne"
    assert mail["Message-ID"] == f"<{KEY}@example.com>"
    assert mail["X-Rapport-Message"] == KEY
    assert mail["Date"].datetime == NOON
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert "Hello Eva & Söhne,\n\nthank you" in text.get_content().replace("\r\n", "\n")
    assert "So far you ordered for 95.00 EUR." in text.get_content()
    assert "<p>Hello Eva &amp; Söhne,</p>" in html.get_content()
    assert not mail.defects


def test_an_amount_is_written_with_two_decimals_however_it_was_sent() -> None:
    orders = Orders(2, (Money("139.5", "EUR"), Money("7", "USD")), NOON, NOON)
    rendered = render(campaign(), Contact(person(1), 1, msgspec.structs.replace(record(), orders=orders)))
    for said in (rendered.text, rendered.html or ""):
        assert "So far you ordered for 139.50 EUR." in said
        assert "So far you ordered for 7.00 USD." in said


@given(
    st.text(max_size=300), st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=400)
)
def test_any_text_and_subject_arrive_as_they_were(text: str, subject: str) -> None:
    mail = read(Rendered(subject.strip() or "x", text, None))
    assert mail.get_content().splitlines() == text.splitlines()
    assert mail["Subject"] == (subject.strip() or "x")
    assert not mail.defects


@pytest.mark.parametrize("break_out", ["\r\nBcc: all@example.com", "\nX: 1", "\rX: 1", "\x00", "\u2028X", "\x85X"])
def test_a_subject_with_a_line_break_is_refused(break_out: str) -> None:
    contact = Contact(person(1), 1, record(first_name=f"Eva{break_out}"))
    with pytest.raises(TemplateError, match="subject: expected one line without control characters"):
        render(campaign(), contact)


def test_a_subject_must_say_something_and_not_too_much() -> None:
    made = campaign()
    for subject in (" ", "x" * 501):
        wrong = replace(made, letter=replace(made.letter, subject=Template(subject)))
        with pytest.raises(TemplateError, match="subject: expected 1 to 500 characters"):
            render(wrong, Contact(person(1), 1, record()))


def test_a_sender_s_name_in_any_script_arrives() -> None:
    rendered = Rendered("Hi", "Hello", None)
    assert read(rendered, Sender("shop@example.com", "Käse, Wein & Brot"))["From"].addresses[0].display_name == (
        "Käse, Wein & Brot"
    )
    assert read(rendered, Sender("shop@example.com"))["From"] == "shop@example.com"


def test_the_same_message_is_the_same_bytes() -> None:
    rendered = Rendered("Hi", "Hello", "<p>Hello</p>")
    made = [compose(KEY, "<a@b.cd>", campaign(), "eva@example.com", rendered, NOON) for _ in range(2)]
    assert made[0] == made[1]
    assert "eva" not in repr(made[0])
