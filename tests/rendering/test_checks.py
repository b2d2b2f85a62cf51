"""Every mistake in a message folder is found, with its line and what to write instead."""

import pytest

from rendering.messages import check_layouts, check_message
from rendering.sources import MessageSource
from tests.rendering.building import message

LAYOUTS = {
    "layout.html": "<p>{% block content %}{% endblock %}{% block footer %}{% endblock %}</p>",
    "parts.html": "<p>{{ event.total }}</p>",
}
GOOD = {
    "subject.txt": "Hello {{ customer.first_name | default('there') }}",
    "email.html": '{% extends "layout.html" %}\n{# why #}\n{% set a = 1 %}\n{% block content %}\n'
    "{% for item in event.items %}{{ loop.index }}{{ item.name }}{{ a }}{% endfor %}\n"
    "{{ now | date }}{% include 'parts.html' %}{{ offer.code }}{{ links.unsubscribe }}"
    "{{ policy.postal_address }}\n"
    "{% block inner %}{% endblock %}{{ super() }}{% endblock %}\n",
    "email.txt": "Hello {{ sender.name }}, {{ start_event.plan }} {{ journey }} {{ step }}",
    "sms.txt": "Hello",
    "fr/subject.txt": "Bonjour",
    "fr/email.html": "Bonjour",
}


def mistakes(layouts: dict[str, str] = LAYOUTS, /, **changed: str | None) -> list[str]:
    """What `check_message` says of the good message with these files changed (None: taken away)."""
    changes = message(**{name: text or "" for name, text in changed.items()}).files
    gone = {path for path, text in zip(changes, changed.values(), strict=True) if text is None}
    files = {path: text for path, text in {**GOOD, **changes}.items() if path not in gone}
    found = check_message(MessageSource("thanks", files, layouts))
    return [f"{m.file}:{m.line}: {m.message}" for m in found]


def test_a_good_message_has_none() -> None:
    assert mistakes() == []
    assert check_layouts(LAYOUTS) == []


def test_all_are_found_at_once() -> None:
    found = mistakes(
        subject_txt="{{ custmer.name }}\n{{ customer.name | uper }}",
        email_html='{% extends "layout.html" %}\n'
        "{% block contnet %}{{ links.unsub }}{% endblock %}\nlost",
        sms_txt="{% if %}",
        notes_md="x",
    )
    assert found == [
        "thanks/notes_md:None: unknown file: known are `card.html`, `email.html`, `email.txt`, "
        "`layout.html`, `sms.txt`, `subject.txt`",
        "thanks/email.html:2: there is no field `links.unsub`; did you mean `links.unsubscribe`?",
        "thanks/email.html:2: `layout.html` has no block `contnet`, did you mean `content`?",
        "thanks/email.html:3: text outside the blocks is not shown: move it into one",
        "thanks/sms.txt:1: Expected an expression, got 'end of statement block'",
        "thanks/subject.txt:1: there is no `custmer`; did you mean `customer`?",
        "thanks/subject.txt:2: there is no filter `uper`; did you mean `upper`?",
    ]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"subject_txt": None}, "thanks/email.html:None: `subject.txt` is missing beside it"),
        ({"email_html": None}, "thanks/subject.txt:None: `email.html` is missing beside it"),
        ({"fr__subject_txt": None}, "thanks/fr/email.html:None: `subject.txt` is missing"),
        ({"fr__email_html": None}, "thanks/fr/subject.txt:None: `email.html` is missing"),
        ({"sms_txt": None, "fr__sms_txt": "x"}, "thanks/fr/sms.txt:None: there is no `sms.txt`"),
        ({"sms_text": "x"}, "thanks/sms_text:None: unknown file, did you mean `sms.txt`?"),
        ({"French__sms_txt": "x"}, "thanks/French/sms.txt:None: `French` is not a language"),
        ({"sms_txt": "{% import 'a' as a %}"}, ":1: `import` is not allowed: put what messages"),
        ({"sms_txt": "{% include 'parts.html' %}"}, ":1: `include` is for pages"),
        ({"fr__email_html": "{% include 'part.html' %}"}, ":1: there is no page `part.html` to"),
        ({"fr__email_html": "{% include 'layout.html' %}"}, ":1: there is no page `layout.html`"),
        ({"fr__email_html": "{% include event.part %}"}, ":1: `include` takes a file name in"),
        ({"fr__email_html": "{% include ['parts.html'] %}"}, ":1: `include` takes a file name"),
        (
            {"fr__email_html": "{% include 'parts.html' ignore missing %}"},
            ":1: `include` takes a file name",
        ),
        (
            {"fr__email_html": "{% include 'parts.html' without context %}"},
            ":1: `include` takes a file name",
        ),
        ({"sms_txt": "{{ customer.a() }}"}, ":1: `a(…)` can't be called"),
        ({"sms_txt": "\n\n{{ a b }}"}, ":3: expected token 'end of print statement', got 'b'"),
        ({"sms_txt": "{% block a %}{% endblock %}\n{% block a %}{% endblock %}"}, ":2: block 'a'"),
        ({"sms_txt": "{{ count('a') }}"}, ":1: there is no function `count`"),
        ({"email_html": '{% extends "layot.html" %}'}, ":1: there is no layout `layot.html`, did"),
        ({"email_html": "{% extends customer.layout %}"}, ":1: `extends` takes a file name"),
        ({"sms_txt": "x" * 300_000}, ":1: longer than 256,000 characters"),
    ],
)
def test_each_is_told_with_what_to_write_instead(changed: dict[str, str | None], says: str) -> None:
    found = mistakes(**changed)
    assert len(found) == 1
    assert says in found[0]


def test_a_folder_without_a_message_says_nothing() -> None:
    found = check_message(MessageSource("thanks", {"layout.html": "x"}, {}))
    assert [m.message for m in found] == [
        "says nothing: add `subject.txt` and `email.html`, or `sms.txt`"
    ]


def test_mistakes_of_layouts_are_told_once_where_layouts_are_checked() -> None:
    bad = {
        **LAYOUTS,
        "layout.html": "{{ custmer }}{% block content %}{% endblock %}",
        "french/layout.html": "x",
        "email.html": "x",
        "other.html": "\n{% extends 'layout.html' %}",
        "again.html": "{% include 'again.html' %}{% include 'part.html' %}",
    }
    assert [f"{m.file}:{m.line}: {m.message}" for m in check_layouts(bad)] == [
        "again.html:1: `again.html` can't include itself",
        "again.html:1: there is no page `part.html` to include, did you mean `parts.html`?",
        "email.html:None: a layout is called `layout.html` or `fr/layout.html`",
        "french/layout.html:None: a layout is called `layout.html` or `fr/layout.html`",
        "layout.html:1: there is no `custmer`; did you mean `customer`?",
        "other.html:2: only `layout.html` and a message's own files can extend a layout",
    ]
    del bad["email.html"]
    assert mistakes({**bad, "layout.html": LAYOUTS["layout.html"] + "{{ custmer }}"}) == []


@pytest.mark.parametrize("text", ["{{ 5 | money }}", "{{ 5 | money(short=true) }}"])
def test_money_without_a_currency_anywhere_is_a_mistake(text: str) -> None:
    source = message(sms_txt="\n" + text)
    assert check_message(source) == []
    [mistake] = check_message(source, has_currency=False)
    assert mistake.line == 2
    assert "`currency: EUR` in `policy.yaml`" in mistake.message
    [mistake] = check_layouts({"parts.html": text}, has_currency=False)
    assert (mistake.file, mistake.line) == ("parts.html", 1)
    for said in ("{{ 5 | money('EUR') }}", "{{ 5 | money(currency='EUR') }}"):
        assert check_message(message(sms_txt=said), has_currency=False) == []


def test_a_page_included_outside_the_blocks_is_told_as_lost() -> None:
    text = '{% extends "layout.html" %}\n{% include "parts.html" %}'
    [mistake] = mistakes(email_html=text)
    assert "thanks/email.html:2: text outside the blocks is not shown" in mistake


def test_a_shared_layout_can_t_extend_itself() -> None:
    found = check_layouts({"layout.html": '\n{% extends "layout.html" %}'})
    assert [(m.line, m.message) for m in found] == [(2, "`layout.html` can't extend itself")]
