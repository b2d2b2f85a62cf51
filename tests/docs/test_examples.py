"""Every example in the docs is read by the code that reads such files, and says what is true.

A fenced `yaml` block says after the language what it is: `journey`, `steps` of one,
`policy`, what one has `computed`, or `scenarios`; a `jinja` block is an `email`.
"""

import json
import textwrap
from pathlib import Path

import pytest

from authoring.folder import LoadedJourneys, load_journeys
from authoring.mistakes import JourneysInvalid
from authoring.scenario_lines import Expected, ExpectedDecision, ExpectedEnding
from authoring.scenarios import Scenario
from engine.definition import Journey
from engine.lines import LifeLine, Line, StepLine
from engine.person import Stage
from engine.policy import Policy
from engine.segment import parse_recorded
from engine.segment_fields import Refused
from engine.simulator import simulate
from rendering.conditions import counted, evaluate
from rendering.messages import MessageSource, check_message
from tests.docs.pages import Fence, our_pages, page
from tests.lint.checkout import ROOT

KINDS = {"yaml": {"journey", "steps", "policy", "computed", "scenarios"}, "jinja": {"email"}}
HEAD = """\
journey: example
title: An example
starts_on: trial_started
ends_at: start + 90 days
topic: onboarding
steps:
"""
FENCES = [fence for told in our_pages() for language in KINDS for fence in told.fences(language)]
each_fence = pytest.mark.parametrize("fence", FENCES, ids=lambda f: f"{f.page}:{f.line}")


def _of_kind(kind: str) -> list[Fence]:
    return [fence for fence in FENCES if fence.kind == kind]


def load(folder: Path, fence: Fence) -> LoadedJourneys:
    """The example in a journeys folder with whatever it lacks. Raises JourneysInvalid."""
    policy = (ROOT / "journeys" / "policy.yaml").read_text(encoding="utf-8")
    journey = _of_kind("journey")[0].text
    files = {"policy.yaml": policy, "journey.yaml": journey}
    match fence.kind:
        case "journey":
            files["journey.yaml"] = fence.text
        case "steps":
            files["journey.yaml"] = HEAD + textwrap.indent(fence.text, "  ")
        case "computed":
            files["policy.yaml"] = policy + fence.text
        case kind:
            files[f"{kind}.yaml"] = fence.text
    name = files["journey.yaml"].splitlines()[0].removeprefix("journey: ")
    for message in ("thanks", "tip", "demo", "coupon"):
        (folder / name / message).mkdir(parents=True)
        (folder / name / message / "subject.txt").write_text("A subject")
        (folder / name / message / "email.html").write_text("<p>A text</p>")
    for file, text in files.items():
        (folder / ("" if file == "policy.yaml" else name) / file).write_text(text)
    return load_journeys(folder)


def mistakes(folder: Path, fence: Fence) -> list[str]:
    if fence.language == "jinja":
        files = {"subject.txt": "A subject", "email.html": fence.text}
        shared = (ROOT / "journeys").glob("*.html")
        layouts = {path.name: path.read_text(encoding="utf-8") for path in shared}
        source = MessageSource("thanks", files, layouts)
        return [each.message for each in check_message(source)]
    try:
        load(folder, fence)
    except JourneysInvalid as invalid:
        return [each.message for each in invalid.mistakes]
    return []


@each_fence
def test_an_example_says_what_it_is_and_holds(fence: Fence, tmp_path: Path) -> None:
    assert fence.kind in KINDS[fence.language]
    assert mistakes(tmp_path, fence) == []


@each_fence
def test_an_example_that_is_wrong_is_refused(fence: Fence, tmp_path: Path) -> None:
    wrong = {
        "journey": ("after_idle: 10 days", "after_idle: 10 dyas"),
        "steps": ("wait: 2 hours", "wait: 2 hour of"),
        "policy": ("per: 7 days", "every: 7 days"),
        "computed": ("count", "cuont"),
        "scenarios": ("sent: tip", "sent: tipp"),
        "email": ("{% block content %}", "{% block contents %}"),
    }[fence.kind]
    text = fence.text.replace(*wrong)
    assert text != fence.text
    altered = Fence(fence.page, fence.line, fence.language, fence.kind, text)
    assert mistakes(tmp_path, altered) != []


def unplayed(scenario: Scenario, journey: Journey, policy: Policy) -> list[str]:
    """Where what happens is not what the scenario says."""
    channels = {message: ("email",) for step in journey.steps for message in step.messages}
    stage = Stage(
        {journey.journey: journey}, policy, {journey.journey: channels}, evaluate, counted=counted
    )
    lines = simulate(stage, scenario.calls, scenario.until)
    happened = [told for line in lines if (told := _told(line)) is not None]
    said = [_said(expected) for expected in scenario.expected]
    return [] if happened == said else [*happened, "and not", *said]


def _told(line: Line) -> str | None:
    match line:
        case StepLine():
            return f"{line.at} {line.step} {line.decision} {line.reason}"
        case LifeLine(ending=None):
            return None
        case LifeLine():
            return f"{line.at} {line.ending}"


def _said(expected: Expected) -> str:
    match expected:
        case ExpectedDecision():
            return f"{expected.at} {expected.step} {expected.decision} {expected.reason}"
        case ExpectedEnding():
            return f"{expected.at} {expected.ending}"


@pytest.mark.parametrize("fence", _of_kind("scenarios"), ids=lambda f: f"{f.page}:{f.line}")
def test_scenarios_in_the_docs_come_true(fence: Fence, tmp_path: Path) -> None:
    loaded = load(tmp_path / "right", fence)
    (each,) = loaded.journeys.values()
    assert len(each.scenarios) > 1
    for scenario in each.scenarios:
        assert unplayed(scenario, each.journey, loaded.policy) == []
    late = Fence(
        fence.page, fence.line, "yaml", "scenarios", fence.text.replace("at: 2 d", "at: 3 d")
    )
    (other,) = load(tmp_path / "late", late).journeys.values()
    assert unplayed(other.scenarios[0], other.journey, loaded.policy) != []


@pytest.mark.parametrize("fence", _of_kind("journey"), ids=lambda f: f"{f.page}:{f.line}")
def test_the_trial_journey_in_the_docs_is_the_one_that_runs(fence: Fence, tmp_path: Path) -> None:
    (told,) = load(tmp_path, fence).journeys.values()
    real = load_journeys(ROOT / "journeys").journeys["trial-onboarding"]
    assert told.journey.version == real.journey.version


RECORDED = [fence for told in our_pages() for fence in told.fences("jsonl")]


def refused_lines(text: str) -> list[str]:
    """What is wrong with recorded calls, one a line."""
    calls = [parse_recorded(json.loads(line)) for line in text.splitlines()]
    return [call.message for call in calls if isinstance(call, Refused)]


@pytest.mark.parametrize("fence", RECORDED, ids=lambda f: f"{f.page}:{f.line}")
def test_recorded_calls_in_the_docs_can_be_played(fence: Fence) -> None:
    assert refused_lines(fence.text) == []
    assert refused_lines(fence.text.replace('"timestamp"', '"at"')) != []


def test_the_recorded_calls_of_the_readme_make_a_customer_get_something(tmp_path: Path) -> None:
    (fence,) = page("README.md").fences("jsonl")
    (told,) = load(tmp_path, _of_kind("journey")[0]).journeys.values()
    policy = load_journeys(ROOT / "journeys").policy
    calls = [parse_recorded(json.loads(line)) for line in fence.text.splitlines()]
    name = told.journey.journey
    channels = dict.fromkeys(told.messages, ("email",))
    stage = Stage({name: told.journey}, policy, {name: channels}, evaluate, counted=counted)
    lines = simulate(stage, [call for call in calls if not isinstance(call, Refused)])
    assert [line.step for line in lines if isinstance(line, StepLine)] == ["thanks", "tip", "demo"]
    assert _told(lines[-1]) == "2026-12-05 14:30:00+00:00 converted"


def test_the_readme_shows_the_trial_journey() -> None:
    assert [fence.kind for fence in page("README.md").fences("yaml")] == ["journey"]
