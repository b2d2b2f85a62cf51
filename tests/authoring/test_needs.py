"""What a journey needs of a policy is found wherever its files name it."""

from typing import Any

import pytest

from authoring.needs import needs, sections_of

DEFINED = sections_of(
    {
        "topics": {"onboarding": {}, "news": {}, "offers": {}},
        "webhooks": {"crm": {}, "shop": {}},
        "traits": {
            "orders": {"count": {"event": "ordered"}},
            "orders_value": {"sum": {"event": "ordered", "of": "total"}},
            "last_order_at": {"last": {"event": "ordered", "where": "customer.orders > 1"}},
        },
        "segments": {
            "lapsed": {"when": "customer.last_order_at and inside('known')"},
            "known": {"when": "customer.name"},
            "loyal": {"when": "customer.orders > 3"},
        },
        "sender": {"name": "not a section"},
    }
)
NOTHING: dict[str, list[str]] = {}


@pytest.mark.parametrize(
    ("said", "needed"),
    [
        ({"topic": "onboarding"}, {"topics": ["onboarding"]}),
        ({"steps": [{"topic": "offers"}, {"call": "crm"}]},
         {"topics": ["offers"], "webhooks": ["crm"]}),
        ({"steps": [{"offer": {"code_from": "shop"}}]}, {"webhooks": ["shop"]}),
        ({"happens": [{"unsubscribe": "news"}, {"subscribe": "offers"}]},
         {"topics": ["news", "offers"]}),
        ({"steps": [{"unsubscribe": ["news"]}]}, {"topics": ["news"]}),
        ({"at": "customer.orders_value + 1 day"}, {"traits": ["orders_value"]}),
        ({"when": "customer.orders > 2"}, {"traits": ["orders"]}),
        ({"when": "customer['orders'] > 2"}, {"traits": ["orders"]}),
        ({"when": "inside('loyal')"}, {"traits": ["orders"], "segments": ["loyal"]}),
        ({"where": "event.segment == \"known\""}, {"segments": ["known"]}),
        ({"when": "subscribed('news')"}, {"topics": ["news"]}),
        # What is needed needs more: a segment another one, that a trait, and that a trait.
        ({"starts_on": {"enters": "lapsed"}},
         {"traits": ["orders", "last_order_at"], "segments": ["lapsed", "known"]}),
        ({"ends_on": [{"leaves": "loyal"}]}, {"traits": ["orders"], "segments": ["loyal"]}),
        ({"title": "orders, news and lapsed customers", "send": "news"}, NOTHING),
        ({"at": "customer.order", "topic": "unheard-of"}, NOTHING),
    ],
)  # fmt: skip
def test_a_name_is_found_where_it_means_something(said: Any, needed: dict[str, list[str]]) -> None:
    assert needs([said], [], DEFINED) == needed


def test_texts_are_read_too() -> None:
    text = "You ordered {{ customer.orders | number }} times, {{ customer.ordersx }}."
    assert needs([], [text], DEFINED) == {"traits": ["orders"]}


def test_a_policy_that_is_none_defines_nothing() -> None:
    assert needs([{"topic": "news"}], [], sections_of(["topics"])) == NOTHING
    assert sections_of({"topics": None})["topics"] == {}
