"""A trait that is printed with nothing to stand in for it is told, and no other is."""

import pytest

from rendering.messages import advise_layouts, advise_message
from rendering.sources import MessageSource
from tests.rendering.building import message


def bare(text: str) -> list[str]:
    """The traits that an SMS with this text needs, each with its line."""
    return [f"{w.line} {w.message.split('`')[1]}" for w in advise_message(message(sms_txt=text))]


@pytest.mark.parametrize(
    "text",
    [
        "{{ customer.a }}",
        "{{ customer['a'] }}",
        "{{ customer.a | upper | default('x') }}",
        "{% if customer.a %}{{ customer.b }}{% endif %}{{ customer.a }}",
        "{% if customer.b %}{% else %}{{ customer.a }}{% endif %}",
        "{% if not customer.a %}{{ customer.a }}{% endif %}",
        "{% if customer.a or customer.b %}{{ customer.a }}{% endif %}",
        "{% if customer.a != 'pro' %}{{ customer.a }}{% endif %}",
        "{% if customer.a == customer.b %}{{ customer.a }}{% endif %}",
        "{% if customer.a == none %}{{ customer.a }}{% endif %}",
        "{% if customer.a | length > 3 %}{% endif %}",
        "{% set a = customer.a %}{{ a }}",
        "{% set a = customer.a %}{% set b = a %}{{ b }}",
        "{% set a = customer.a | upper %}{{ a }}",
        "{% set a = 1 %}{% set a = a ~ customer.a %}{{ a }}",
        "{% for each in customer.a %}{{ each.name }}{% endfor %}",
        "{{ 'x' ~ customer.a }}",
        "{{ customer.b or customer.a }}",
        "{{ customer.a if customer.b else 'x' }}",
        "{{ event.x | default(customer.a) }}",
        "{{ customer.a | web_link }}",
        "{{ customer.a | join }}",
        "{% if customer.b %}{% elif customer.c %}{{ customer.a }}{% endif %}",
    ],
)
def test_it_is_told_where_it_may_be_missing(text: str) -> None:
    assert "1 customer.a" in bare(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ customer.a | default('x') }}{{ customer.b | d }}",
        "{% if customer.a %}{{ customer.a | upper }}{% endif %}",
        "{% if customer.a.b %}{{ customer.a.b }}{{ customer.a | items | length }}{% endif %}",
        "{% if customer.a and customer.a.b %}{{ customer.a.b }}{% endif %}",
        "{% if not customer.a %}x{% else %}{{ customer.a }}{% endif %}",
        "{% if not (customer.a and customer.b) %}{% else %}{{ customer.a }}{% endif %}",
        "{% if customer.a is none or not customer.b %}{% else %}{{ customer.a }}{% endif %}",
        "{% if customer.a is defined %}{{ customer.a }}{% endif %}",
        "{% if customer.a == 'pro' %}{{ customer.a }}{% endif %}",
        "{% if customer.a > 3 %}{{ customer.a }}{% endif %}",
        "{% if 'x' in customer.a %}{{ customer.a | join }}{% endif %}",
        "{% if customer.a %}{% elif customer.b %}{{ customer.b }}{% endif %}",
        "{% if customer.a is undefined %}{% elif 1 %}{{ customer.a }}{% endif %}",
        "{% set a = customer.a | default('x') %}{{ a }}",
        "{% set a = customer.a %}{% if a %}{{ a }}{{ customer.a }}{% endif %}",
        "{% set a = customer.a %}",
        "{{ customer.a or 'x' }}{{ customer.a if customer.a else 'x' }}{{ 'x' if customer.a }}",
        "{{ customer.a and customer.a.b | default('x') | upper if customer.a else 'x' }}",
        "{{ customer.a | web_link | default('https://acme.example') }}",
        "{% if customer.a | web_link %}{{ customer.a | web_link }}{% endif %}",
        "{% if customer.a[0] %}{{ customer.a[0] }}{% endif %}",
        "{{ event.a }}{{ sender.name }}{{ customer[event.a] }}",
        "{% if customer.a == 'x' and customer.a | upper == 'X' %}{% endif %}",
    ],
)
def test_it_is_not_told_where_something_stands_in_or_an_if_has_seen_it(text: str) -> None:
    assert bare(text) == []


def test_the_sentence_names_line_and_trait_and_says_what_to_write() -> None:
    source = message(sms_txt="x", subject_txt="x", fr__email_html="\n{{ customer.first_name }}")
    [warning] = advise_message(source)
    assert (warning.file, warning.line) == ("thanks/fr/email.html", 2)
    assert warning.message == (
        "nothing stands in for `customer.first_name` where it is missing, and then the message "
        "does not go out: write `customer.first_name | default(…)`, or ask with "
        "`{% if customer.first_name %}`"
    )


def test_the_address_by_which_one_is_reached_is_never_missing() -> None:
    source = message(
        subject_txt="{{ customer.email }}",
        email_html="{{ customer.email }}",
        sms_txt="{{ customer.phone }}",
        card_html="{{ customer.address }}",
    )
    assert advise_message(source) == []
    [warning] = advise_message(message(sms_txt="{{ customer.email }}"))
    assert "`customer.email`" in warning.message


def test_blocks_layouts_and_included_pages_are_looked_into() -> None:
    layouts = {"layout.html": "{% block a %}{{ customer.a }}{% endblock %}", "b.html": "x"}
    assert [w.file for w in advise_layouts(layouts)] == ["layout.html"]
    text = '{% extends "layout.html" %}{% block a %}{{ customer.a }}{% endblock %}'
    source = MessageSource("thanks", {"email.html": text, "subject.txt": "x"}, layouts)
    assert [w.file for w in advise_message(source)] == ["thanks/email.html"]
