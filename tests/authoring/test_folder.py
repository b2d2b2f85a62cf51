"""A journeys folder is right as a whole, or refused as a whole."""

from pathlib import Path

import pytest

from authoring.folder import load_journeys
from authoring.mistakes import JourneysInvalid
from tests.authoring.right_folder import JOURNEY, POLICY, Write


def _mistakes(root: Path) -> list[str]:
    with pytest.raises(JourneysInvalid) as caught:
        load_journeys(root)
    return [str(mistake) for mistake in caught.value.mistakes]


def _steps(*lines: str) -> str:
    return JOURNEY + "".join(f"{line}\n" for line in lines)


def test_a_right_folder_is_loaded_with_all_that_is_in_it(write: Write) -> None:
    loaded = load_journeys(write())
    assert loaded.policy.timezone == "Europe/Paris"
    assert loaded.warnings == ()
    journey = loaded.journeys["trial"]
    assert journey.journey.title == "A trial"
    assert sorted(journey.messages) == ["thanks", "tip"]
    assert journey.messages["tip"].channels == ("email", "sms")
    assert journey.path.name == "trial"


def test_what_is_loaded_can_not_be_changed(write: Write) -> None:
    loaded = load_journeys(write())
    with pytest.raises(TypeError):
        loaded.journeys["other"] = loaded.journeys["trial"]  # type: ignore[index]


def test_one_mistake_refuses_the_journeys_without_one_too(write: Write) -> None:
    root = write({"other/journey.yaml": "journey: other\n"})
    assert all(m.startswith("other/") for m in _mistakes(root))


def test_mistakes_of_all_files_come_at_once(write: Write) -> None:
    root = write(
        {
            "policy.yaml": POLICY.replace("Europe/Paris", "Europe/Pariss"),
            "trial/journey.yaml": JOURNEY.replace("start + 2 days", "start + 2 dais"),
            "trial/thanks/email.html": "<p>{% if %}</p>",
            "trial/scenarios.yaml": "scenarios:\n  - scenaro: x\n",
        }
    )
    files = [m.split(":")[0] for m in _mistakes(root)]
    assert sorted(set(files)) == [
        "policy.yaml",
        "trial/journey.yaml",
        "trial/scenarios.yaml",
        "trial/thanks/email.html",
    ]


def test_a_mistake_in_the_policy_does_not_make_its_topics_unknown(write: Write) -> None:
    [mistake] = _mistakes(write({"policy.yaml": POLICY.replace("Europe/Paris", "Paris")}))
    assert mistake.startswith("policy.yaml:3: `timezone`: `Paris` is not an IANA time zone")


def test_a_missing_policy_is_told_once(write: Write) -> None:
    [mistake] = _mistakes(write({"policy.yaml": None}))
    assert mistake.startswith("policy.yaml: the file is missing")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    [mistake] = _mistakes(tmp_path / "nowhere")
    assert "there is no such folder" in mistake


def test_a_folder_without_journeys_is_told(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    [mistake] = _mistakes(tmp_path)
    assert "there is no journey here" in mistake


def test_a_folder_without_journey_yaml_gets_a_hint(write: Write) -> None:
    [mistake] = _mistakes(write({"pictures/readme.md": "x"}))
    assert mistake.startswith("pictures: a folder without `journey.yaml`")


def test_the_library_is_left_alone(write: Write) -> None:
    assert list(load_journeys(write({"library/x/journey.yaml": "wrong"})).journeys) == ["trial"]


def test_hidden_files_are_left_alone(write: Write) -> None:
    root = write({".git/config": "x", "trial/.DS_Store": b"\xff\xfe", "trial/tip/.swp": b"\xff"})
    assert list(load_journeys(root).journeys) == ["trial"]


@pytest.mark.parametrize(
    ("there", "instead"),
    [("trial/journey.yml", "journey.yaml"), ("trial/scenario.yaml", "scenarios.yaml")],
)
def test_a_file_of_almost_the_right_name_gets_a_hint(
    write: Write, there: str, instead: str
) -> None:
    changes = {there: "x", "trial/journey.yaml": None if "yml" in there else JOURNEY}
    assert _mistakes(write(changes)) == [f"{there}: rename it to `{instead}`"]


def test_a_link_out_of_the_folder_is_refused(write: Write, tmp_path: Path) -> None:
    root = write({"trial/tip/email.html": None})
    secret = tmp_path / "secret.html"
    secret.write_text("a secret")
    (root / "trial/tip/email.html").symlink_to(secret)
    mistakes = _mistakes(root)
    assert mistakes[0].startswith("trial/tip/email.html: a link that leads out")
    assert not any("a secret" in m for m in mistakes)


@pytest.mark.parametrize("name", ["policy.yaml", "trial/journey.yaml"])
def test_a_yaml_file_that_is_a_link_out_of_the_folder_is_refused(
    write: Write, tmp_path: Path, name: str
) -> None:
    root = write()
    outside = tmp_path / "outside.yaml"
    (root / name).rename(outside)
    (root / name).symlink_to(outside)
    assert any(m.startswith(f"{name}: a link that leads out") for m in _mistakes(root))


def test_a_link_to_a_folder_outside_is_refused(write: Write, tmp_path: Path) -> None:
    root = write()
    (tmp_path / "elsewhere").mkdir()
    (root / "elsewhere").symlink_to(tmp_path / "elsewhere")
    [mistake] = _mistakes(root)
    assert mistake.startswith("elsewhere: a link that leads out")


def test_a_link_inside_the_folder_is_followed(write: Write) -> None:
    root = write({"trial/tip/email.html": None})
    (root / "trial/tip/email.html").symlink_to(root / "trial/thanks/email.html")
    message = load_journeys(root).journeys["trial"].messages["tip"]
    assert message.files["email.html"] == "<p>Thanks.</p>"


def test_a_file_that_is_not_utf_8_is_told_with_its_line(write: Write) -> None:
    [mistake] = _mistakes(write({"trial/tip/email.html": "<p>\nCafé</p>".encode("latin-1")}))
    assert mistake == ("trial/tip/email.html:2: byte 0xe9 is not UTF-8: save the file as UTF-8")


@pytest.mark.parametrize(
    ("file", "instead"),
    [
        ("invoice.pdf", "attachments are not sent: put it on the web, and link to it"),
        ("invoice", "attachments are not sent"),
        ("fr/terms.docx", "attachments are not sent"),
        (
            "logo.png",
            "pictures are not sent along: put it on the web, and name it in",
        ),
        ("fr/Logo.JPG", "pictures are not sent along"),
    ],
)
def test_attachments_and_pictures_are_refused_with_what_to_do(
    write: Write, file: str, instead: str
) -> None:
    [mistake] = _mistakes(write({f"trial/tip/{file}": b"\x89PNG"}))
    assert mistake.startswith(f"trial/tip/{file}: {instead}")
    assert "(a message has `subject.txt`, `email.html`" in mistake


def test_a_page_beside_the_layout_is_there_for_messages_to_include(write: Write) -> None:
    root = write(
        {
            "sign.html": "<p>{{ sender.name }}</p>",
            "fr/sign.html": "<p>Signé {{ sender.name }}</p>",
            "trial/sign.html": "<p>Own</p>",
            "trial/tip/email.html": "<p>A tip.</p>{% include 'sign.html' %}",
        }
    )
    layouts = load_journeys(root).journeys["trial"].messages["tip"].layouts
    assert sorted(layouts) == ["fr/sign.html", "sign.html"]
    assert layouts["sign.html"] == "<p>Own</p>"


def test_traits_with_nothing_to_stand_in_are_warned_of_wherever_they_are(write: Write) -> None:
    root = write(
        {
            "layout.html": "{% block content %}{% endblock %}\n{{ customer.company }}",
            "trial/tip/subject.txt": "{{ customer.first_name }}, a tip",
            "trial/tip/sms.txt": "{{ customer.first_name | default('Hello') }}, a tip",
        }
    )
    warnings = [(w.file, w.line, w.message[:50]) for w in load_journeys(root).warnings]
    assert warnings == [
        ("layout.html", 2, "nothing stands in for `customer.company` where it "),
        ("trial/tip/subject.txt", 1, "nothing stands in for `customer.first_name` where "),
    ]


def test_money_without_a_currency_is_told_unless_the_policy_has_one(write: Write) -> None:
    changes = {"trial/tip/sms.txt": "{{ event.total | money }}"}
    [mistake] = _mistakes(write(changes))
    assert mistake.startswith("trial/tip/sms.txt:1: `money` needs a currency")
    root = write({**changes, "policy.yaml": POLICY + "currency: EUR\n"})
    assert load_journeys(root).policy.currency == "EUR"


def test_the_layout_of_a_journey_comes_before_that_of_all(write: Write) -> None:
    extends = "{% extends 'layout.html' %}{% block content %}x{% endblock %}"
    layout = "<html>{who}{% block content %}{% endblock %}</html>"
    root = write(
        {
            "layout.html": layout.replace("{who}", "all"),
            "fr/layout.html": layout.replace("{who}", "tous"),
            "trial/layout.html": layout.replace("{who}", "own"),
            "trial/tip/email.html": extends,
        }
    )
    layouts = load_journeys(root).journeys["trial"].messages["tip"].layouts
    assert {name: text[6:9] for name, text in layouts.items()} == {
        "layout.html": "own",
        "fr/layout.html": "tou",
    }


def test_a_mistake_in_a_layout_is_told_once(write: Write) -> None:
    extends = "{% extends 'layout.html' %}{% block content %}x{% endblock %}"
    layout = "<html>{% block content %}{% endblock %}\n{{ nope }}</html>"
    root = write(
        {
            "layout.html": layout,
            "trial/tip/email.html": extends,
            "trial/thanks/email.html": extends,
        }
    )
    [mistake] = _mistakes(root)
    assert mistake.startswith("layout.html:2: ")


@pytest.mark.parametrize(
    ("step", "wrong"),
    [
        ("- {send: tip, id: t2, at: start, channels: [post]}", "has no `post`: its files make"),
        ("- {send: tip, id: t2, at: start, channels: [emial]}", "did you mean `email`?"),
        ("- {send: tip, id: t2, at: start, channels: []}", "`channels` is empty"),
        ("- {send: tip, id: t2, at: start, from: a b}", "`from`: "),
        ("- {call: crn, at: start}", "unknown webhook `crn`, did you mean `crm`?"),
        ("- {id: v, at: start, variants: {a: tip, b: tup}}", "no message `tup`"),
        ("- {send: tip, id: t2, at: start, topic: news2}", "unknown topic `news2`"),
        ("- {send: tip, id: t2, at: start, when: \"sent('tipp')\"}", "no step `tipp`"),
        ("- {send: tip, id: t2, at: start, when: \"clicked('tipp')\"}", "no step `tipp`"),
        ("- {send: tip, id: t2, at: start, when: \"count('a.b') > 1\"}", "`a.b` is a reserved"),
        ("- {send: tip, id: t2, after_event: a.b}", "such as `a_b`"),
        ("- {send: tip, id: t2, at: start, unless: [ok, message.click]}", "`message.clicked`?"),
        (
            "- {send: tip, id: t2, after_event: {event: a, where: \"count('x') > 1\"}}",
            "`where`: ",
        ),
        (
            "- {send: tip, id: t2, at: start, transactional: true, "
            "offer: {percent: 20, valid: 5 days}}",
            "an offer in a transactional message",
        ),
        (
            "- {id: t2, at: start, transactional: true, "
            "variants: {a: tip, b: {send: thanks, offer: {free_shipping: true, valid: 5 days}}}}",
            "an offer in a transactional message",
        ),
        ("- {id: t2, at: start, unsubscribe: [news, nwes]}", "unknown topic `nwes`, did you mean"),
        (
            "- {id: t2, at: start, variants: "
            "{a: tip, b: {send: thanks, offer: {amount: 5, valid: 5 days, code_from: shop}}}}",
            "unknown webhook `shop`",
        ),
    ],
)
def test_what_a_step_names_must_exist(write: Write, step: str, wrong: str) -> None:
    [mistake] = _mistakes(write({"trial/journey.yaml": _steps(f"  {step}")}))
    assert mistake.startswith("trial/journey.yaml:12: ")
    assert wrong in mistake


@pytest.mark.parametrize(
    "step",
    [
        "- {send: tip, id: t2, at: start, channels: [sms, email]}",
        "- {id: v, at: start, variants: {a: tip, b: {send: thanks, weight: 2}}}",
        "- {send: tip, id: t2, at: start, topic: news}",
        "- {id: t2, at: start, unsubscribe: true}",
        "- {id: t2, at: start, unsubscribe: [news]}",
        "- {send: tip, id: t2, at: start, when: \"sent('tip') and not clicked('thanks')\"}",
        "- {send: tip, id: t2, at: start, when: \"count('message.clicked', '9 days') > 1\"}",
        "- {send: tip, id: t2, at: start, unless: [message.clicked]}",
        "- {send: tip, id: t2, after_event: {event: paid, where: event.total > 5}}",
        "- {send: tip, id: t2, at: start, offer: {amount: 5, valid: 5 days}}",
    ],
)
def test_what_exists_may_be_named(write: Write, step: str) -> None:
    assert load_journeys(write({"trial/journey.yaml": _steps(f"  {step}")})).warnings == ()


@pytest.mark.parametrize(
    "step",
    [
        "- {call: crm, at: start}",
        "- {id: mark, set: {seen: true}, at: start}",
        "- {send: tip, id: t2, at: start, channels: [sms]}",
    ],
)
def test_every_channel_is_carried(write: Write, step: str) -> None:
    assert load_journeys(write({"trial/journey.yaml": _steps(f"  {step}")})).warnings == ()


def test_a_printed_page_without_a_sender_is_a_warning(write: Write) -> None:
    printed = {"trial/tip/card.html": "<p>Hello</p>"}
    [warning] = load_journeys(write(printed)).warnings
    assert "`post` in policy.yaml" in warning.message


def test_where_of_the_journeys_own_keys_is_checked(write: Write) -> None:
    text = JOURNEY.replace("goal: bought", "goal:\n  - paid\n  - event: bought\n    where: a b")
    [mistake] = _mistakes(write({"trial/journey.yaml": text}))
    assert mistake.startswith("trial/journey.yaml:8: `where`: ")


def test_a_broken_step_hides_nothing_in_the_others_and_its_name_stays_known(write: Write) -> None:
    text = JOURNEY.replace("start + 1 day", "start + 1 dya").replace(
        "at: start + 2 days", "at: thanks + 2 days\n    topic: none-such"
    )
    mistakes = _mistakes(write({"trial/journey.yaml": text}))
    assert [m.split(": ")[0] for m in mistakes] == ["trial/journey.yaml:9", "trial/journey.yaml:12"]


def test_a_message_that_no_step_sends_is_a_warning(write: Write) -> None:
    root = write({"trial/spare/subject.txt": "x", "trial/spare/email.html": "<p>x</p>"})
    [warning] = load_journeys(root).warnings
    assert "the message `spare` is sent by no step" in str(warning)


@pytest.mark.parametrize(
    "trigger",
    [
        "at: customer.renews_at - 5 days",
        "after_idle: 10 days",
        "after_event: paid",
        "at: start + 1 day\n    repeat: weekly",
    ],
)
def test_a_journey_that_may_never_end_is_a_warning(write: Write, trigger: str) -> None:
    text = JOURNEY.replace("ends_at: start + 30 days\n", "").replace("at: start + 2 days", trigger)
    [warning] = load_journeys(write({"trial/journey.yaml": text})).warnings
    assert warning.line == 9
    assert "may never end, as `tip`" in warning.message


def test_a_journey_that_must_end_needs_no_ends_at(write: Write) -> None:
    text = JOURNEY.replace("ends_at: start + 30 days\n", "")
    assert load_journeys(write({"trial/journey.yaml": text})).warnings == ()


@pytest.mark.parametrize(
    "offer",
    [
        "    offer: {percent: 20, valid: 5 days}\n",
        "  - id: two\n    at: start\n    variants:\n      a: tip\n"
        "      b: {send: thanks, offer: {free_shipping: true, valid: 5 days}}\n",
    ],
)
def test_a_coupon_in_a_journey_without_goal_is_a_warning(write: Write, offer: str) -> None:
    text = JOURNEY.replace("goal: bought\n", "") + offer
    [warning] = load_journeys(write({"trial/journey.yaml": text})).warnings
    assert "without a `goal`" in warning.message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("<p>Hello</p>\n<p>{{ offer.code }}</p>", 2),
        ("{% if offer %}<p>For you</p>{% endif %}", 1),
        ("<p>{{ customer.plan if offer is defined else 1 }}</p>", 1),
    ],
)
def test_a_transactional_message_that_speaks_of_an_offer_is_refused(
    write: Write, text: str, line: int
) -> None:
    step = "  - {send: tip, id: t2, at: start, transactional: true}"
    files = {"trial/journey.yaml": _steps(step), "trial/tip/email.html": text}
    [mistake] = _mistakes(write(files))
    assert mistake.startswith("trial/journey.yaml:12: `tip/email.html` speaks of `offer` in line")
    assert f"in line {line}, " in mistake


def test_an_offer_in_a_page_that_the_message_includes_is_one_of_the_message(write: Write) -> None:
    step = "  - {send: tip, id: t2, at: start, transactional: true}"
    [mistake] = _mistakes(
        write(
            {
                "trial/journey.yaml": _steps(step),
                "coupon.html": "<p>{{ offer.code }}</p>",
                "layout.html": "{% block content %}{% endblock %}{{ offer.code | default('') }}",
                "trial/tip/email.html": '{% extends "layout.html" %}'
                '{% block content %}{% include "coupon.html" %}{% endblock %}',
            }
        )
    )
    assert "`coupon.html` speaks of `offer` in line 1" in mistake


def test_a_message_of_a_topic_may_speak_of_an_offer_it_need_not_have(write: Write) -> None:
    files = {"trial/tip/email.html": "{% if offer %}<p>{{ offer.code }}</p>{% endif %}"}
    assert load_journeys(write(files)).warnings == ()


def test_a_topic_to_confirm_that_nobody_asks_about_is_a_warning(write: Write) -> None:
    news = "news: {title: Product news, subscribed: false}"
    asks = POLICY.replace(news, "news: {title: News, subscribed: false, double_opt_in: true}")
    [warning] = load_journeys(write({"policy.yaml": asks})).warnings
    assert (warning.file, warning.line) == ("policy.yaml", 6)
    assert "nobody who subscribes to `news` is asked to confirm it" in warning.message
    journey = JOURNEY.replace("starts_on: trial_started", "starts_on: consent.requested")
    asked = write({"policy.yaml": asks, "trial/journey.yaml": journey})
    assert load_journeys(asked).warnings == ()


@pytest.mark.parametrize("priority", ["high", "1.5", "true", "5000"])
def test_a_priority_is_a_whole_number(write: Write, priority: str) -> None:
    [mistake] = _mistakes(
        write({"trial/journey.yaml": JOURNEY.replace("steps:", f"priority: {priority}\nsteps:")})
    )
    assert mistake.startswith("trial/journey.yaml:7: `priority")
