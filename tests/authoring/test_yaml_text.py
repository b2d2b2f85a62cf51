"""A YAML file is changed in the lines that are meant, and in no other letter."""

from typing import Any

import pytest

from authoring.yaml_lines import read_yaml
from authoring.yaml_text import NotChanged, entry_text, with_entry, with_value

POLICY = """\
# What is true for all.
sender: {name: Atelier, email: a@b.example}

topics:
    # What everybody gets.
    onboarding: {title: Getting started,
        subscribed: true}  # until they say no
    news:
        title: >
            News, and
            more news

        subscribed: false

# Much comes of this.
caps:
- {max: 3, per: 7 days}   # a week
"""
OFFERS = {"title": "Offers", "subscribed": False}


def test_an_entry_is_cut_out_with_its_comments_and_nothing_of_its_neighbours() -> None:
    assert entry_text(POLICY, "topics", "onboarding") == (
        "# What everybody gets.\n"
        "onboarding: {title: Getting started,\n    subscribed: true}  # until they say no"
    )
    assert entry_text(POLICY, "topics", "news") == (
        "news:\n    title: >\n        News, and\n        more news\n\n    subscribed: false"
    )
    assert entry_text(POLICY, "topics", "offers") is None
    assert entry_text(POLICY, "webhooks", "crm") is None
    assert entry_text("topics: {a: {title: A, subscribed: true}}\n", "topics", "a") is None


def test_an_entry_is_added_below_the_last_with_the_indentation_of_the_place() -> None:
    written = "# Why.\noffers:\n  title: Offers\n  subscribed: false  # till they say yes"
    changed = with_entry(POLICY, "topics", "offers", OFFERS, written)
    added = (
        "    # Why.\n    offers:\n      title: Offers\n"
        "      subscribed: false  # till they say yes\n"
    )
    assert added in changed
    assert changed.replace(added, "") == POLICY
    assert changed.index("news:") < changed.index("offers:") < changed.index("# Much comes")


def test_a_section_that_is_missing_is_begun_at_the_end() -> None:
    value = {"when": "customer.orders > 3"}
    changed = with_entry(POLICY, "segments", "loyal", value, "loyal: {when: customer.orders > 3}")
    assert changed == f"{POLICY}\nsegments:\n  loyal: {{when: customer.orders > 3}}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("topics: {}  # none yet\n", 'topics: {"offers": VALUE}  # none yet\n'),
        ("topics: {a: {title: A}}\nx: 1\n", 'topics: {a: {title: A}, "offers": VALUE}\nx: 1\n'),
        ("topics: {\n  a: {title: A}\n}\n", 'topics: {\n  a: {title: A}, "offers": VALUE}\n'),
    ],
)
def test_in_braces_it_is_added_in_braces(before: str, after: str) -> None:
    value = '{"title": "Offers", "subscribed": false}'
    changed = with_entry(before, "topics", "offers", OFFERS, "offers: {title: not used}")
    assert changed == after.replace("VALUE", value)


def test_a_value_at_the_top_is_replaced_and_no_other_line() -> None:
    text = "# journey: old\njourney: 'old'  # its name\ntitle: A\nx: {journey: old}\n"
    assert with_value(text, "journey", "new") == text.replace("'old'", "new")


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("topics: news\n", OFFERS, None),  # no mapping
        ("- topics\n", OFFERS, None),  # no keys at all
        ("topics:\n  a: {title: A}\n", OFFERS, "offers: {title: Otherwise}"),  # not what is meant
        ("topics:\n  a: {title: A}\n", OFFERS, "offers: {title: *there}"),  # an anchor left behind
    ],
)
def test_what_would_come_out_otherwise_is_refused(
    text: str, value: dict[str, Any], written: str | None
) -> None:
    with pytest.raises(NotChanged):
        with_entry(text, "topics", "offers", value, written)


def test_a_value_that_is_missing_is_not_replaced() -> None:
    with pytest.raises(NotChanged, match="no `journey`"):
        with_value("title: A\n", "journey", "new")


def test_a_file_without_an_end_of_line_gets_one() -> None:
    changed = with_entry("topics:\n  a: {title: A}", "topics", "offers", OFFERS, None)
    assert read_yaml(changed).data == {"topics": {"a": {"title": "A"}, "offers": OFFERS}}
    assert changed.endswith("\n")
