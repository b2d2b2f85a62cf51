"""`parcours simulate` prints what the issue says, in the form it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import parcours

STARTED = "2026-11-23T08:00:00Z"


def call(kind: str, at: str = STARTED, customer: str = "c1", **more: Any) -> dict[str, Any]:
    return {"type": kind, "userId": customer, "timestamp": at, **more}


def trial(customer: str = "c1", **traits: Any) -> list[dict[str, Any]]:
    """Someone of Paris whose trial of thirty days begins."""
    given = {
        "email": f"{customer}@example.com",
        "timezone": "Europe/Paris",
        "trial_ends_at": "2026-12-23",
    }
    return [
        call("identify", customer=customer, traits={**given, **traits}),
        call("track", customer=customer, event="trial_started"),
    ]


def recorded(folder: Path, *calls: dict[str, Any]) -> Path:
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in calls), encoding="utf-8")
    return path


def test_a_line_has_the_keys_of_the_documentation_in_their_order(tmp_path: Path) -> None:
    bought = call("track", "2026-11-27T08:00:00.25Z", event="subscription_purchased")
    ran = parcours(
        *("simulate", "trial-onboarding", "--json"),
        *("--events", recorded(tmp_path, bought, *trial())),  # in any order
    )
    assert ran.out.splitlines() == [
        '{"at": "2026-11-23T08:00:00Z", "customer": "c1", "journey": "trial-onboarding", '
        '"key": null, "enrollment": "entered"}',
        '{"at": "2026-11-24T08:00:00Z", "customer": "c1", "journey": "trial-onboarding", '
        '"key": null, "step": "thanks", "decision": "sent", "channel": "email", '
        '"message": "thanks", "reason": null}',
        '{"at": "2026-11-25T08:00:00Z", "customer": "c1", "journey": "trial-onboarding", '
        '"key": null, "step": "tip", "decision": "sent", "channel": "email", '
        '"message": "tip", "reason": null}',
        '{"at": "2026-11-27T08:00:00.250000Z", "customer": "c1", "journey": "trial-onboarding", '
        '"key": null, "enrollment": "converted", "event": "subscription_purchased"}',
    ]
    assert (ran.code, ran.err) == (0, "")


def test_what_is_not_sent_has_its_reason_and_neither_channel_nor_message(tmp_path: Path) -> None:
    events = recorded(tmp_path, *trial(email=None))
    ran = parcours("simulate", "trial-onboarding", "--events", events, "--json")
    (thanks,) = [line for line in ran.lines if line.get("step") == "thanks"]
    assert (thanks["decision"], thanks["reason"]) == ("not_sent", "no_address")
    assert (thanks["channel"], thanks["message"]) == (None, None)


@pytest.mark.parametrize(
    ("until", "steps"),
    [
        ("2026-11-25T08:00:00Z", ["thanks", "tip"]),  # inclusive
        ("2026-11-25T07:59:59Z", ["thanks"]),
        ("2026-11-25", ["thanks"]),  # 00:00 UTC
    ],
)
def test_until_is_inclusive_and_a_date_is_midnight_utc(
    tmp_path: Path, until: str, steps: list[str]
) -> None:
    events = recorded(tmp_path, *trial())
    ran = parcours(
        *("simulate", "trial-onboarding", "--json"), "--events", events, "--until", until
    )
    assert [line["step"] for line in ran.lines if "step" in line] == steps


def test_lines_are_in_time_order_over_all_customers(tmp_path: Path) -> None:
    later = [{**each, "timestamp": "2026-11-24T02:00:00Z"} for each in trial("c0")]
    events = recorded(tmp_path, *later, *trial("c1"))
    ran = parcours("simulate", "trial-onboarding", "--events", events, "--json")
    times = [line["at"] for line in ran.lines]
    assert times == sorted(times)
    assert {line["customer"] for line in ran.lines} == {"c0", "c1"}


def test_a_call_that_comes_twice_happens_once(tmp_path: Path) -> None:
    calls = trial()
    once = parcours("simulate", "trial-onboarding", "--events", recorded(tmp_path, *calls))
    twice = parcours("simulate", "trial-onboarding", "--events", recorded(tmp_path, *calls, *calls))
    assert once == twice


def test_without_json_a_person_reads_local_times_and_sentences(tmp_path: Path) -> None:
    events = recorded(tmp_path, *trial(email=None, timezone="Pacific/Auckland"))
    ran = parcours("simulate", "trial-onboarding", "--events", events)
    assert "2026-11-24 21:00 Pacific/Auckland" in ran.out
    assert "There is no address to send it to." in ran.out


def test_every_line_that_is_no_call_is_named_and_nothing_is_played(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text(
        "\n".join(
            [
                json.dumps(trial()[0]),
                "{not json",
                "",
                json.dumps({"type": "track", "userId": "c1", "event": "trial_started"}),
                json.dumps(call("refund")),
                json.dumps(call("track", event="customer.created")),
            ]
        )
    )
    ran = parcours("simulate", "trial-onboarding", "--events", events, "--json")
    assert (ran.code, ran.out) == (2, "")
    for number, problem in ((2, "not JSON"), (4, "`timestamp`"), (5, "`refund`"), (6, "a dot")):
        (line,) = [text for text in ran.err.splitlines() if f"events.jsonl:{number}:" in text]
        assert problem in line
    assert "events.jsonl:1:" not in ran.err
    assert "events.jsonl:3:" not in ran.err


def test_an_invalid_journey_is_told_with_all_its_mistakes(tmp_path: Path) -> None:
    folder = Path("tests/authoring/twenty_mistakes")
    events = recorded(tmp_path, *trial())
    ran = parcours("simulate", "onboarding", "--journeys", folder, "--events", events)
    assert (ran.code, ran.out) == (2, "")
    assert "onboarding/journey.yaml:10: " in ran.err
    assert "20 mistakes" in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("trial-onbording",), "`trial-onboarding`"),
        (("trial-onboarding", "--until", "soon"), "2026-12-31"),
        (("trial-onboarding", "--journeys", "nowhere"), "there is no folder `nowhere`"),
    ],
)
def test_wrong_input_is_one_clear_line_and_code_2(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    ran = parcours("simulate", *arguments, "--events", recorded(tmp_path, *trial()))
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert told in ran.err


def test_a_template_that_breaks_for_this_customer_is_a_template_error(tmp_path: Path) -> None:
    journeys = tmp_path / "journeys"
    (journeys / "trial" / "hello").mkdir(parents=True)
    (journeys / "policy.yaml").write_text(
        "sender: {name: A, email: a@example.com}\npostal_address: B\n"
        "topics: {news: {title: News, subscribed: true}}\n"
    )
    (journeys / "trial" / "journey.yaml").write_text(
        "journey: trial\ntitle: A trial\nstarts_on: trial_started\ntopic: news\n"
        "steps:\n  - {send: hello, at: start + 1 day}\n"
    )
    (journeys / "trial" / "hello" / "subject.txt").write_text("Hello {{ customer.name }}")
    (journeys / "trial" / "hello" / "email.html").write_text("<p>Hello</p>")
    events = recorded(tmp_path, *trial("anon"), *trial("ann", name="Ann"))
    ran = parcours("simulate", "trial", "--journeys", journeys, "--events", events, "--json")
    assert {line["customer"]: line["reason"] for line in ran.lines if "step" in line} == {
        "anon": "template_error",
        "ann": None,
    }


def test_on_temporal_the_output_is_the_same_to_the_byte(tmp_path: Path) -> None:
    calls = [
        *trial("ada"),
        call("track", "2026-11-27T08:00:00.25Z", "ada", event="subscription_purchased"),
        *trial("bea", email=None),
        *trial("cleo", timezone="America/New_York"),
        call("track", "2026-11-30T08:00:00Z", "cleo", event="report_opened"),
        call("identify", "2026-12-01T08:00:00Z", "cleo", traits={"trial_ends_at": "2027-01-15"}),
    ]
    command = ("simulate", "trial-onboarding", "--events", recorded(tmp_path, *calls), "--json")
    pure, real = parcours(*command), parcours(*command, "--on-temporal")
    assert (real.code, real.err) == (0, "")
    assert real.out == pure.out
    assert len(pure.out.splitlines()) > 10
