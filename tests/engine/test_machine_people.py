"""What people do to an enrollment: skip, send now, pause, end, adopt another version."""

import json
from typing import Any

import pytest

from engine.enrollment import Adopt, End, NotBefore, Pause, Resume, SendNow, Skip, State
from engine.machine import Illegal, Machine
from engine.reasons import Ending, Reason
from tests.engine.enrolled import DAY, HOUR, MINUTE, SENT, START, Enrolled, journey, utc

TIP = {"id": "tip", "at": "start + 2 days"}
NEXT = {"id": "next", "at": "tip + 1 day"}
COUPON = {"id": "coupon", "at": "customer.ends - 5 days"}


def _adopt(at: Any, *steps: dict[str, Any], name: str = "trial", **more: Any) -> Adopt:
    pinned = journey(*steps, journey=name).pinned
    return Adopt(at=at, definition=json.loads(pinned), **more)


def test_skipping_a_step_settles_it_and_what_follows() -> None:
    one = Enrolled(TIP, NEXT).tell(Skip(at=START + DAY, step="tip"))
    assert one.told == [
        ("tip", Reason.SKIPPED, START + DAY),
        ("next", Reason.ANCHOR_NOT_SENT, START + DAY),
    ]
    assert one.ending == (Ending.COMPLETED, START + DAY)


def test_a_step_that_waits_for_its_anchor_can_be_skipped_for_good() -> None:
    one = Enrolled(COUPON, TIP).tell(Skip(at=START, step="coupon"))
    one.moves(START + DAY, ends="2026-12-23").until(START + 60 * DAY)
    assert [told[1] for told in one.told] == [Reason.SKIPPED, "sent"]


def test_skipping_a_repeat_skips_one_occurrence() -> None:
    one = Enrolled({"id": "a", "at": "start + 1 day", "repeat": "daily"})
    one.tell(Skip(at=START, step="a")).until(START + 2 * DAY)
    assert one.told == [("a", Reason.SKIPPED, START), ("a", "sent", START + 2 * DAY)]


def test_skipping_an_idle_spell_leaves_the_next_one_on_time() -> None:
    one = Enrolled({"id": "demo", "after_idle": "10 days", "repeat": True, "grace": "1 hour"})
    one.used = [START + 5 * DAY]
    one.until(START + 9 * DAY).tell(Skip(at=START + 9 * DAY, step="demo")).until(START + 40 * DAY)
    assert one.told == [
        ("demo", Reason.SKIPPED, START + 9 * DAY),
        ("demo", "sent", START + 15 * DAY),
    ]


def test_skipping_what_is_being_sent_stops_it_if_it_still_can() -> None:
    one = Enrolled(TIP, COUPON)
    delivery = one.take(START + 2 * DAY)
    one.tell(Skip(at=START + 2 * DAY + MINUTE, step="tip"))
    assert [p.stop_reason for p in one.machine.stopping] == [Reason.SKIPPED]
    assert one.answer(delivery, NotBefore()).told == [("tip", Reason.SKIPPED, START + 2 * DAY)]


def test_skipping_too_late_leaves_it_sent() -> None:
    one = Enrolled(TIP, COUPON)
    delivery = one.take(START + 2 * DAY)
    one.tell(Skip(at=START + 2 * DAY + MINUTE, step="tip")).answer(delivery, SENT)
    assert one.told == [("tip", "sent", START + 2 * DAY)]


@pytest.mark.parametrize("order", [Skip, SendNow])
def test_a_settled_or_unknown_step_is_refused_in_words(order: type[Skip] | type[SendNow]) -> None:
    one = Enrolled(TIP, COUPON).until(START + 3 * DAY)
    with pytest.raises(Illegal, match=r"`tip` can't be .*: it is settled \(sent\)"):
        one.tell(order(at=one.now, step="tip"))
    with pytest.raises(Illegal, match=r"there is no step `tipp` in `trial`; there is `tip`, `cou"):
        one.tell(order(at=one.now, step="tipp"))


def test_nothing_to_skip_is_refused() -> None:
    one = Enrolled({"id": "a", "after_event": "used", "repeat": True})
    with pytest.raises(Illegal, match="nothing to skip"):
        one.tell(Skip(at=START, step="a"))


def test_send_now_brings_a_step_forward_once() -> None:
    one = Enrolled(TIP, COUPON).tell(SendNow(at=START + HOUR, step="tip")).until(START + 9 * DAY)
    assert one.told == [("tip", "sent", START + HOUR)]
    assert one.asked[0].forced


def test_send_now_passes_window_and_idle_check() -> None:
    one = Enrolled({"id": "demo", "after_idle": "10 days", "days": "sun"})
    one.used = [START + HOUR]
    one.tell(SendNow(at=START + 2 * HOUR, step="demo")).until(START + 30 * DAY)
    assert one.told == [("demo", "sent", START + 2 * HOUR)]


def test_send_now_of_a_step_without_its_anchor_is_its_one_send() -> None:
    one = Enrolled(COUPON).tell(SendNow(at=START + HOUR, step="coupon"))
    one.moves(START + HOUR, ends="2026-12-23").until(START + 60 * DAY)
    assert one.told == [("coupon", "sent", START + HOUR)]
    assert one.ending == (Ending.COMPLETED, START + HOUR)


def test_send_now_between_two_idle_spells_is_an_occurrence_of_its_own() -> None:
    one = Enrolled({"id": "demo", "after_idle": "10 days", "repeat": True}).until(START + 12 * DAY)
    one.tell(SendNow(at=START + 12 * DAY, step="demo")).until(START + 12 * DAY)
    assert [at for _, _, at in one.told] == [START + 10 * DAY, START + 12 * DAY]
    assert one.asked[-1].occurrence.startswith("by-hand-")


def test_a_zone_change_does_not_undo_send_now() -> None:
    one = Enrolled({"id": "a", "after_event": "used", "wait": "3 days"})
    one.event("used", START, fires=("a",)).tell(SendNow(at=START + HOUR, step="a"))
    one.moves(START + HOUR, zone="Asia/Tokyo").until(START + 9 * DAY)
    assert one.told == [("a", "sent", START + HOUR)]


def test_send_now_is_refused_while_paused_or_being_sent() -> None:
    one = Enrolled(TIP, COUPON).tell(Pause(at=START))
    with pytest.raises(Illegal, match="paused: resume it first"):
        one.tell(SendNow(at=START, step="tip"))
    one.tell(Resume(at=START)).take(START + 2 * DAY)
    with pytest.raises(Illegal, match="being sent right now"):
        one.tell(SendNow(at=START + 2 * DAY, step="tip"))


def test_pausing_or_resuming_twice_changes_nothing() -> None:
    one = Enrolled(TIP).tell(Resume(at=START)).tell(Pause(at=START)).tell(Pause(at=START))
    assert one.machine.state.paused
    one.tell(Resume(at=START)).tell(Resume(at=START)).until(START + 9 * DAY)
    assert one.told == [("tip", "sent", START + 2 * DAY)]


def test_nothing_is_asked_of_an_ended_enrollment() -> None:
    one = Enrolled(TIP).tell(End(at=START, ending=Ending.CANCELLED, by="ana"))
    with pytest.raises(Illegal, match="already ended"):
        one.tell(Pause(at=START))


# --- Another version ------------------------------------------------------------------------


def test_adopting_retimes_what_waits_and_keeps_what_settled() -> None:
    one = Enrolled({"id": "thanks", "at": "start"}, TIP).until(START + HOUR)
    sooner, later = {"id": "thanks", "at": "start + 5 days"}, {"id": "tip", "at": "start + 3 days"}
    one.tell(_adopt(START + DAY, sooner, later)).until(START + 9 * DAY)
    assert one.told == [("thanks", "sent", START), ("tip", "sent", START + 3 * DAY)]


def test_checking_an_adoption_changes_nothing() -> None:
    one = Enrolled(TIP)
    before = one.machine.journey
    one.machine.check(_adopt(START, COUPON))
    assert one.machine.journey is before


@pytest.mark.parametrize(
    "adopt", [_adopt(START, TIP, name="other"), Adopt(at=START, definition={"journey": "trial"})]
)
def test_what_can_not_be_adopted_is_refused_and_changes_nothing(adopt: Adopt) -> None:
    one = Enrolled(TIP)
    before = one.machine.state, one.machine.journey
    with pytest.raises(Illegal):
        one.tell(adopt)
    assert (one.machine.state, one.machine.journey) == before


def test_a_removed_step_is_not_sent_and_the_rest_completes() -> None:
    one = Enrolled(TIP, {"id": "thanks", "at": "start"}).until(START)
    one.tell(_adopt(START + DAY, {"id": "thanks", "at": "start"}))
    assert one.ending == (Ending.COMPLETED, START + DAY)


def test_a_removed_step_that_is_being_sent_is_stopped_and_does_not_keep_it_open() -> None:
    one = Enrolled(TIP, {"id": "thanks", "at": "start"}).until(START)
    delivery = one.take(START + 2 * DAY)
    one.tell(_adopt(START + 2 * DAY, {"id": "thanks", "at": "start"}))
    assert ([p.step for p in one.machine.stopping], one.ended) == (["tip"], None)
    one.answer(delivery, NotBefore())
    assert one.ending == (Ending.COMPLETED, START + 2 * DAY)


def test_a_new_step_follows_one_that_was_sent_before() -> None:
    one = Enrolled(TIP, COUPON).until(START + 2 * DAY + HOUR)
    one.tell(_adopt(START + 2 * DAY + HOUR, TIP, NEXT)).until(START + 9 * DAY)
    assert one.told == [("tip", "sent", START + 2 * DAY), ("next", "sent", START + 3 * DAY)]


def test_a_step_may_change_its_kind_of_trigger() -> None:
    used = {"id": "a", "after_event": "used", "wait": "5 days"}
    one = Enrolled(used).event("used", START, fires=("a",))
    one.tell(_adopt(START + DAY, {"id": "a", "at": "start + 3 days"})).until(START + 9 * DAY)
    assert one.told == [("a", "sent", START + 3 * DAY)]
    two = Enrolled(TIP).tell(_adopt(START + DAY, used | {"id": "tip"})).until(START + 9 * DAY)
    assert (two.told, two.ended) == ([], None)


def test_an_adopted_version_gets_the_values_of_its_new_anchors() -> None:
    visit = {"id": "visit", "at": "event.day"}
    adopt = _adopt(
        START, COUPON, visit, traits={"ends": "2026-12-23"}, values={"day": "2026-12-01"}
    )
    one = Enrolled(TIP).tell(adopt).until(START + 60 * DAY)
    assert one.told == [("visit", "sent", utc(2026, 12, 1)), ("coupon", "sent", utc(2026, 12, 18))]


# --- What is kept ---------------------------------------------------------------------------


def test_a_machine_goes_on_from_its_kept_state() -> None:
    one = Enrolled(TIP, COUPON, traits={"ends": "2026-12-23"}).until(START + 3 * DAY)
    kept = State.model_validate_json(one.machine.state.model_dump_json())
    facts = one.machine.state.facts
    again = Machine(one.machine.journey, one.machine.start, facts, state=kept)
    assert again.state == one.machine.state
    assert again.wakeup(one.now) == one.machine.wakeup(one.now)


def test_a_preview_says_what_comes_next_and_changes_nothing() -> None:
    one = Enrolled(TIP, NEXT)
    delivery = one.take(START + 2 * DAY)
    before = one.machine.state
    wake = one.machine.preview(delivery)
    assert wake is not None
    assert (wake.step, wake.at) == ("next", START + 3 * DAY)
    assert one.machine.state is before
