"""Templates: what campaigns need works, and an attack costs neither time nor memory nor tells anything."""

import time

import pytest

from services.engagement.domain.templates import MOST_OUTPUT_BYTES, Escaping, Template, TemplateError

BIG = "y" * 60_000
VALUES = {"customer": {"name": "<Eva>", "traits": {}, "orders": {"count": 2}}, "big": BIG, "many": list(range(2_000))}


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("{{ customer.name }}", "<Eva>"),
        ('{{ customer.traits.city | default: "there" }}', "there"),
        ("{% if customer.traits.city %}in {{ customer.traits.city }}{% else %}somewhere{% endif %}", "somewhere"),
        ("{% if customer.orders.count > 1 %}again{% endif %}", "again"),
        ("{% for n in (1..3) %}{{ n }}{% endfor %}", "123"),
        ("{{ customer.name | upcase | replace: 'E', 'I' }}", "<IVA>"),
        ("{{ customer.name | escape }}", "&lt;Eva&gt;"),
    ],
)
def test_a_template_says_what_is_known(source: str, output: str) -> None:
    assert Template(source).render(VALUES) == output


def test_html_escapes_every_value_and_nothing_can_undo_it() -> None:
    assert Template("<b>{{ customer.name }}</b>", Escaping.HTML).render(VALUES) == "<b>&lt;Eva&gt;</b>"
    with pytest.raises(TemplateError, match="unknown filter 'safe'"):
        Template("{{ customer.name | safe }}", Escaping.HTML).render(VALUES)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ customer.name", "line 1: expected '}}', found end of file"),
        ("x\n{% frob %}", "line 2: unexpected tag 'frob'"),
        ("{% include 'secrets' %}", "unexpected tag 'include'"),
        ("{% render 'secrets' %}", "unexpected tag 'render'"),
        ("{% if 1 %}" * 11 + "{% endif %}" * 11, "nesting"),
    ],
)
def test_what_is_not_our_liquid_is_refused_before_anything_runs(source: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        Template(source)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("\n{{ customer.traits.city }}", "line 2: customer.traits.city is undefined"),
        ("{{ customer.traits.city | upcase }}", "customer.traits.city is undefined"),
        ("{% for x in nobody %}{% endfor %}", "'nobody' is undefined"),
        ("{{ customer.__class__ }}", "is undefined"),
        ("{{ customer.name.__class__.__mro__ }}", "is undefined"),
        ("{{ 1 | divided_by: 0 }}", "can't divide by 0"),
        ("{{ customer.name | nothing }}", "unknown filter 'nothing'"),
    ],
)
def test_a_variable_or_filter_that_is_not_there_is_named_with_its_line(source: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        Template(source).render(VALUES)


@pytest.mark.parametrize(
    "source",
    [
        "{{ big | replace: '', big }}",
        "{{ big | split: '' | join: big }}",
        "{{ (1..1000000000) | join: ',' }}",
        "{% assign r = (1..1000000000) %}{{ r | reverse | first }}",
        "{% assign r = (1..1000000000) %}{{ r | sum }}",
        "{% for x in (1..100000) %}x{% endfor %}",
        "{% for x in many %}x{% endfor %}",
        "{% for x in (1..100) %}{% for y in (1..100) %}x{% endfor %}{% endfor %}",
        "{% for x in (1..900) %}{{ big }}{% endfor %}",
        "{% assign a = big | append: big %}{% assign b = a | append: a %}{{ b | size }}",
        "{% capture a %}{{ big }}{{ big }}{% endcapture %}{% assign b = a | append: a %}{% assign c = b | append: b %}",
        "{% tablerow x in (1..100000) %}x{% endtablerow %}",
        "{{ big | prepend: big | prepend: big }}",
    ],
)
def test_an_attack_on_time_or_memory_ends_at_once_and_shows_no_value(source: str) -> None:
    started = time.perf_counter()
    with pytest.raises(TemplateError) as caught:
        Template(source).render(VALUES)
    assert time.perf_counter() - started < 1
    assert len(str(caught.value)) < 200


def test_output_is_bounded() -> None:
    assert len(Template("{{ big }}{{ big }}{{ big }}").render(VALUES)) <= MOST_OUTPUT_BYTES
    with pytest.raises(TemplateError, match="output"):
        Template("{{ big }}" * 4).render(VALUES)
