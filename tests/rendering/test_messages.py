"""A message finds its language, its layout and its text part."""

import json
from pathlib import Path

import pytest

from rendering.errors import TemplateError
from rendering.messages import render_email, render_text
from rendering.sources import MessageSource, locale_chain
from tests.rendering.building import context, email, html, message

_LAYOUT = '<html lang="{{ locale }}"><body>{% block content %}{% endblock %}BYE</body></html>'
LAYOUTS = {
    "layout.html": _LAYOUT.replace("BYE", "Bye"),
    "fr/layout.html": _LAYOUT.replace("BYE", "Adieu"),
}
CONTENT = '{% extends "layout.html" %}{% block content %}<p>WHAT {{ now | date }}</p>{% endblock %}'
TRANSLATED = message(
    LAYOUTS,
    subject_txt="Hello",
    email_html=CONTENT.replace("WHAT", "Hello"),
    email_txt="Hello text",
    sms_txt="Hello",
    fr__subject_txt="Bonjour",
    fr__email_html=CONTENT.replace("WHAT", "Bonjour"),
)


# -- languages ----------------------------------------------------------------------------


def test_a_locale_falls_back_by_its_parts() -> None:
    assert list(locale_chain("zh-Hant_TW")) == ["zh-Hant-TW", "zh-Hant", "zh", ""]
    assert list(locale_chain("")) == [""]


@pytest.mark.parametrize("locale", ["fr", "fr-CA", "fr_FR", "FR-ca"])
def test_french_is_found_for_every_kind_of_french(locale: str) -> None:
    rendered = render_email(TRANSLATED, context(locale=locale))
    assert rendered.subject == "Bonjour"
    assert '<html lang="fr">' in rendered.html
    assert "Bonjour 23 novembre 2026" in rendered.html
    assert "Adieu" in rendered.html
    assert rendered.locale == "fr"


@pytest.mark.parametrize("locale", ["en", "de", "", "nonsense!"])
def test_others_get_the_default_with_its_own_layout_and_dates(locale: str) -> None:
    rendered = render_email(TRANSLATED, context(locale=locale))
    assert rendered.subject == "Hello"
    assert '<html lang="en">' in rendered.html
    assert "Hello November 23, 2026" in rendered.html
    assert "Bye" in rendered.html


def test_dates_follow_the_region_where_the_language_is_the_customer_s() -> None:
    assert "23 November 2026" in render_email(TRANSLATED, context(locale="en-GB")).html


def test_a_file_that_is_not_translated_is_taken_from_the_default() -> None:
    assert render_text(TRANSLATED, "sms.txt", context(locale="fr")) == "Hello"


def test_a_french_mail_never_carries_the_english_text_part() -> None:
    assert render_email(TRANSLATED, context(locale="en")).text == "Hello text\n"
    assert render_email(TRANSLATED, context(locale="fr")).text == (
        "Bonjour 23 novembre 2026\n\nAdieu\n"
    )


def test_the_locale_can_be_given_beside_the_context() -> None:
    assert render_email(TRANSLATED, context(), "fr").subject == "Bonjour"


# -- layouts ------------------------------------------------------------------------------


def test_a_message_s_own_layout_comes_first_and_may_extend_the_shared_one() -> None:
    source = MessageSource(
        "thanks",
        {
            "subject.txt": "Hello",
            "email.html": '{% extends "layout.html" %}{% block inner %}Hi{% endblock %}',
            "layout.html": '{% extends "layout.html" %}'
            "{% block content %}<b>{% block inner %}{% endblock %}</b>{% endblock %}",
        },
        LAYOUTS,
    )
    assert "<b>Hi</b>Bye" in render_email(source, context()).html


def test_a_block_may_keep_what_the_layout_says() -> None:
    source = message(
        {"layout.html": "{% block content %}From the layout{% endblock %}"},
        subject_txt="Hello",
        email_html='{% extends "layout.html" %}'
        "{% block content %}<b>{{ super() }}</b>{% endblock %}",
    )
    assert "<b>From the layout</b>" in render_email(source, context()).html


# -- the e-mail ---------------------------------------------------------------------------


def test_data_is_escaped_in_html_and_not_in_text() -> None:
    source = message(
        subject_txt="{{ customer.n }}", email_html="{{ customer.n }}", sms_txt="{{ customer.n }}"
    )
    hostile = context({"n": "<b>&Ann"})
    assert "&lt;b&gt;&amp;Ann" in render_email(source, hostile).html
    assert render_email(source, hostile).subject == "<b>&Ann"
    assert render_email(source, hostile).text == "<b>&Ann\n"
    assert render_text(source, "sms.txt", hostile) == "<b>&Ann"


@pytest.mark.parametrize(
    "expression", ["customer.n ~ '!'", "customer.n + '!'", "[customer.n] | join"]
)
def test_computed_text_is_escaped_too(expression: str) -> None:
    assert "<b>" not in html(f"{{{{ {expression} }}}}", {"n": "<b>"})


def test_the_subject_is_one_line() -> None:
    source = message(subject_txt="Hello\n  {{ customer.n }}\n", email_html="x")
    assert (
        render_email(source, context({"n": "A\r\nBcc: x\x00\u2028y"})).subject == "Hello A Bcc: x y"
    )
    assert len(render_email(source, context({"n": "x" * 5_000})).subject) == 200


def test_an_empty_subject_is_an_error() -> None:
    source = message(subject_txt="{% if customer.n %}Hello{% endif %}", email_html="x")
    with pytest.raises(TemplateError, match=r"thanks/subject\.txt: the subject is empty"):
        render_email(source, context())


def test_a_message_without_an_email_says_so() -> None:
    with pytest.raises(TemplateError, match=r"thanks/email\.html: the message does not have"):
        render_email(message(sms_txt="x"), context())


def test_styles_are_inlined_and_media_queries_kept() -> None:
    rendered = html(
        "<html><head><style>p { color: red } @media (max-width: 600px) { p { color: blue } }"
        "</style></head><body><p>Hi</p></body></html>"
    )
    assert '<p style="color: red;">' in rendered
    assert "@media (max-width: 600px)" in rendered


def test_no_style_sheet_is_fetched_from_anywhere(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.css"
    sheet.write_text("p { color: red }")
    for href in (sheet.as_uri(), str(sheet), "https://acme.invalid/a.css"):
        text = (
            f'<html><head><link rel="stylesheet" href="{href}"></head><body><p>Hi</p></body></html>'
        )
        assert "red" not in html(text)


def test_an_offer_and_links_may_be_absent() -> None:
    text = "{% if offer %}{{ offer.code }} {{ offer.percent }}%{% else %}none{% endif %}"
    assert "none" in html(text)
    assert "SAVE 20%" in html(text, offer={"code": "SAVE", "percent": 20})
    assert "no" in html("{% if links.preferences %}yes{% else %}no{% endif %}")


# -- the text part ------------------------------------------------------------------------


def test_the_text_part_reads_like_text() -> None:
    text = email(
        "<html><head><title>T</title><style>p{}</style></head><body>"
        '<div style="display: none">A preheader<br><img src="x"></div>'
        "<h1>Welcome</h1><table><tr><td><p>Day 1. Costs 20% - *really* [sic] 1.5 + 2</p></td></tr>"
        '<tr><td><a href="https://acme.example/go?a=1&amp;b=2">Start now</a></td></tr></table>'
        '<ul><li>One</li><li>Two</li></ul><p><strong>Bold</strong></p><img src="x" alt="Acme">'
        '<p><a href="https://acme.example">https://acme.example</a></p>'
        '<p><a href="mailto:a@acme.example">a@acme.example</a> <a href="javascript:x">no</a></p>'
        "</body></html>"
    ).text
    assert "preheader" not in text
    assert text.splitlines() == [
        "Welcome",
        "",
        "Day 1. Costs 20% - *really* [sic] 1.5 + 2",
        "",
        "Start now <https://acme.example/go?a=1&b=2>",
        "",
        "  * One",
        "  * Two",
        "",
        "Bold",
        "",
        "Acme",
        "",
        "https://acme.example",
        "",
        "a@acme.example no",
    ]


# -- the source ---------------------------------------------------------------------------


def test_the_files_say_by_which_channels_it_can_go() -> None:
    assert message(subject_txt="", email_html="").channels == ("email",)
    assert message(subject_txt="").channels == ()
    assert message(subject_txt="", email_html="", sms_txt="", card_html="").channels == (
        "email",
        "sms",
        "post",
    )
    assert message(fr__sms_txt="", fr_CA__sms_txt="").channels == ()
    assert TRANSLATED.locales == ("fr",)


def test_a_source_survives_json() -> None:
    again = MessageSource.from_dict(json.loads(json.dumps(TRANSLATED.to_dict(), sort_keys=True)))
    assert again == TRANSLATED
    assert hash(again) == hash(TRANSLATED)
    assert again.content_hash == TRANSLATED.content_hash


def test_the_hash_changes_with_any_text_and_not_with_the_order_of_files() -> None:
    hashes = {
        message(a_txt="1", b_txt="2").content_hash,
        message(a_txt="1", b_txt="3").content_hash,
        message(a_txt="12", b_txt="").content_hash,
        message({"b.txt": "2"}, a_txt="1").content_hash,
        MessageSource("other", {"a.txt": "1", "b.txt": "2"}, {}).content_hash,
    }
    assert len(hashes) == 5
    assert message(b_txt="2", a_txt="1").content_hash == message(a_txt="1", b_txt="2").content_hash
    assert all(len(each) == 12 for each in hashes)


def test_a_changed_text_is_what_goes_out_next() -> None:
    assert "old" in render_email(message(subject_txt="x", email_html="old"), context()).html
    assert "new" in render_email(message(subject_txt="x", email_html="new"), context()).html
