"""`parcours new` makes a journey from one of the library: whole, or not at all."""

import os
from pathlib import Path

import pytest

from cli.copying import copy_journey, copyable
from tests.authoring.right_folder import JOURNEY, POLICY, RIGHT
from tests.cli.running import parcours, parcours_here
from tests.lint.checkout import ROOT

LIBRARY_POLICY = """\
sender: {name: Library, email: library@atelier.example}
postal_address: 12 rue des Tanneurs, 69005 Lyon, France
timezone: Europe/Paris
topics:
  onboarding: {title: Another title, subscribed: true}
  # Those who have left.
  comeback:
    title: {en: We miss you, fr: Vous nous manquez}
    subscribed: true  # they bought once
  unused: {title: Nobody asks for it, subscribed: false}
webhooks:
  shop: {url: "https://shop.example/codes"}   # makes the codes
"""
WIN_BACK = """\
# yaml-language-server: $schema=../../../docs/schemas/journey.json
# For those who have not come back.

journey: win-back   # called as its folder
title: Win them back
starts_on: went_away
ends_on: {event: offer.redeemed, where: event.journey == 'win-back'}
ends_at: start + 30 days
goal: bought
topic: onboarding
steps:
  - send: hello
    at: start + 3 days
    topic: comeback
    offer: {percent: 10, valid: 5 days, code_from: shop}
"""
SCENARIOS = """\
scenarios:
  - scenario: Who stays away is asked back    # once
    customer: {email: ada@example.com}
    starts: 2026-11-23 09:00
    happens:
      - {after: 5 days, track: asked, with: {journey: win-back, topic: win-back}}
    gets:
      - {at: 3 days, sent: hello}
      - {at: 3 days, enrollment: completed}
"""
LIBRARY = {
    "policy.yaml": LIBRARY_POLICY,
    "win-back/journey.yaml": WIN_BACK,
    "win-back/scenarios.yaml": SCENARIOS,
    "win-back/hello/subject.txt": "Come back",
    "win-back/hello/email.html": "<p>Come back: {{ offer.code }}</p>",
    "win-back/README.md": "See [how](../../../docs/x.md#a), [this](hello/email.html), `../y`.\n",
    "win-back/.notes": "mine",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journeys folder with one journey, and a library of one."""
    root = tmp_path / "journeys"
    write(root, RIGHT | {f"library/{name}": text for name, text in LIBRARY.items()})
    return root


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def content(root: Path) -> dict[str, str]:
    """Every file, hidden ones too, and every folder."""
    return {
        path.relative_to(root).as_posix(): path.read_text("utf-8") if path.is_file() else ""
        for path in root.rglob("*")
    }


def new(folder: Path, *arguments: str) -> tuple[int, str]:
    ran = parcours_here("new", *arguments, "--journeys", folder)
    return ran.code, ran.out + ran.err


def test_the_copy_is_the_journey_under_its_new_name_and_no_other_line_changes(
    folder: Path,
) -> None:
    before = content(folder)
    code, told = new(folder, "come-home", "--from", "win-back")
    assert (code, told.splitlines()[0]) == (
        0,
        f"{folder}/come-home: copied from {folder}/library/win-back",
    )
    assert told.splitlines()[-1].startswith("ok: come-home, trial (1 scenario")
    after = content(folder)
    assert after["come-home/journey.yaml"] == (
        WIN_BACK.replace("../../../docs", "../../docs")
        .replace("journey: win-back ", "journey: come-home ")
        .replace("== 'win-back'", "== 'come-home'")
    )
    assert after["come-home/scenarios.yaml"] == SCENARIOS.replace(
        "{journey: win-back,", "{journey: come-home,"
    )
    assert after["come-home/hello/email.html"] == LIBRARY["win-back/hello/email.html"]
    assert after["come-home/README.md"] == (
        "See [how](../../docs/x.md#a), [this](hello/email.html), `../y`.\n"
    )
    assert {name for name in after.keys() - before.keys() if "." in name} == {
        "come-home/README.md",
        "come-home/journey.yaml",
        "come-home/scenarios.yaml",
        "come-home/hello/subject.txt",
        "come-home/hello/email.html",
    }


def test_the_policy_gets_what_it_lacks_in_the_librarys_words_and_keeps_its_own(
    folder: Path,
) -> None:
    _, told = new(folder, "come-home", "--from", "win-back")
    assert f"{folder}/policy.yaml: topics: added `comeback`\n" in told
    assert f"{folder}/policy.yaml: webhooks: added `shop`\n" in told
    assert (folder / "policy.yaml").read_text("utf-8") == POLICY.replace(
        "webhooks:\n",
        "  # Those who have left.\n"
        "  comeback:\n"
        "    title: {en: We miss you, fr: Vous nous manquez}\n"
        "    subscribed: true  # they bought once\n"
        "webhooks:\n",
    ) + '  shop: {url: "https://shop.example/codes"}   # makes the codes\n'


def test_a_journey_beside_it_can_be_copied_and_needs_nothing(folder: Path) -> None:
    code, told = new(folder, "trial-2", "--from", "trial")
    assert (code, "added" in told) == (0, False)
    text = (folder / "trial-2" / "journey.yaml").read_text("utf-8")
    assert text == JOURNEY.replace("journey: trial\n", "journey: trial-2\n")
    assert (folder / "policy.yaml").read_text("utf-8") == POLICY


def test_a_mistake_anywhere_leaves_the_folder_as_it_was(folder: Path) -> None:
    write(folder, {"trial/tip/email.html": "<p>{{ custmer.name }}</p>"})
    before = content(folder)
    code, told = new(folder, "come-home", "--from", "win-back")
    assert code == 2
    assert told.splitlines()[0].startswith(f"{folder}/trial/tip/email.html:1: ")
    assert told.splitlines()[-1] == "nothing was written"
    assert content(folder) == before


def test_scenarios_that_a_policy_makes_untrue_stop_it_and_may_be_left_out(folder: Path) -> None:
    policy = f"{POLICY}quiet_hours: {{email: 09:00-10:00}}\n"
    write(folder, {"policy.yaml": policy})
    before = content(folder)
    code, told = new(folder, "come-home", "--from", "win-back")
    assert (code, "`--without-scenarios`" in told) == (2, True)
    assert f"{folder}/come-home/scenarios.yaml:8: " in told
    assert content(folder) == before
    code, _ = new(folder, "come-home", "--from", "win-back", "--without-scenarios")
    assert code == 0
    assert not (folder / "come-home" / "scenarios.yaml").exists()


def test_a_journey_that_can_not_be_moved_in_leaves_the_policy_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(folder)

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "rename", full)
    code, told = new(folder, "come-home", "--from", "win-back")
    assert (code, "no space left" in told) == (1, True)
    assert content(folder) == before


def test_a_policy_in_a_layout_that_can_not_be_changed_is_told(folder: Path) -> None:
    policy = POLICY.replace('webhooks:\n  crm: {url: "https://crm.example/hook"}\n', "webhooks:\n")
    write(folder, {"policy.yaml": policy})
    before = content(folder)
    code, told = new(folder, "come-home", "--from", "win-back")
    assert (code, "add `shop` to `webhooks` by hand" in told) == (2, True)
    assert content(folder) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["come-home", "--from", "win-bakc"], "to copy, did you mean `win-back`?\n"),
        (["come-home", "--from", "win-bakc"], "win-back  Win them back\n"),
        (["trial", "--from", "win-back"], "trial` already"),
        (["Come home", "--from", "win-back"], "`Come home` is not a name"),
        (["library", "--from", "win-back"], "`library/` is where examples are"),
        (["../come-home", "--from", "win-back"], "is not a name"),
        (["come-home"], "--from"),
        ([], "parcours new --list"),
    ],
)
def test_what_can_not_be_done_is_told_and_changes_nothing(
    folder: Path, arguments: list[str], told: str
) -> None:
    before = content(folder)
    code, said = new(folder, *arguments)
    assert (code, told in said) == (2, True)
    assert content(folder) == before


def test_the_list_has_the_library_first_each_with_its_title(folder: Path) -> None:
    write(folder, {"library/broken/journey.yaml": "journey: [\n"})
    code, told = new(folder, "--list")
    assert code == 0
    assert told.splitlines() == [
        "broken    (its journey.yaml can't be read)",
        "win-back  Win them back",
        "trial     A trial",
    ]


def test_without_a_folder_or_a_journey_it_says_so(tmp_path: Path) -> None:
    assert "there is no folder" in new(tmp_path / "nowhere", "--list")[1]
    assert "there is nothing to copy" in new(tmp_path, "--list")[1]


def test_a_topic_that_subscribes_otherwise_is_told_where_it_makes_scenarios_untrue(
    folder: Path,
) -> None:
    """Its title is nobody's business."""
    comeback = "  comeback: {title: Come back, subscribed: SAID}\n"
    policy = POLICY.replace("webhooks:\n", f"{comeback}webhooks:\n")
    write(folder, {"policy.yaml": policy.replace("SAID", "false")})
    code, told = new(folder, "come-home", "--from", "win-back")
    assert (code, "topics: `comeback` is not as in the library" in told) == (2, True)
    write(folder, {"policy.yaml": policy.replace("SAID", "true")})
    code, told = new(folder, "come-home", "--from", "win-back")
    assert (code, "is not as in the library" in told) == (0, False)


OURS = copyable(ROOT / "journeys")
BARE = """\
sender: {name: Atelier, email: hello@atelier.example}
postal_address: 12 rue des Tanneurs, 69005 Lyon, France
timezone: Europe/Paris
currency: EUR
topics:
  onboarding: {title: Getting started, subscribed: true}
post:  # which nobody can know but the sender
  return_address: {name: Atelier, street: 1 High Street, city: Lyon, country: FR}
"""


@pytest.mark.parametrize("name", OURS)
def test_every_journey_that_we_offer_can_be_copied(name: str, tmp_path: Path) -> None:
    """Into a folder that has our layouts, and of a policy only what every one must have."""
    for path in (ROOT / "journeys").glob("*.html"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    chosen = OURS[name]
    write(tmp_path, {"policy.yaml": BARE})
    copied = copy_journey(tmp_path, chosen, "a-copy")
    assert copied.loaded.journeys["a-copy"].journey.title == chosen.title
    assert copied.loaded.journeys["a-copy"].scenarios != ()
    assert copied.differing == {}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_it_is_a_command(tmp_path: Path) -> None:
    ran = parcours("new", "--list")
    assert (ran.code, ran.err) == (0, "")
    assert "trial-onboarding" in ran.out
