"""Which messages a stop button holds, and how the machine waits for it to be lifted."""

from datetime import timedelta

import pytest

from engine.enrollment import Delivery, NotBefore, Retry, Settled
from engine.orders import Next
from engine.progress import as_markdown, progress
from engine.reasons import Decision, Reason
from engine.stops import Outgoing, StopScope, Target, held_up, stops
from tests.engine.enrolled import DAY, HOUR, MINUTE, SENT, START, Enrolled

TIP = {"id": "tip", "at": "start + 2 days"}
LATER = {"id": "later", "at": "start + 2 days at 20:00"}
DUE = START + 2 * DAY
END = DUE + DAY
STOPPED = NotBefore(until=END, reason=Reason.STOPPED)

MAIL = Outgoing(journey="trial", step="tip", channel="email", is_marketing=True)
RECEIPT = Outgoing(journey="order", step="receipt", channel="email", is_marketing=False)


@pytest.mark.parametrize(
    ("target", "mail", "receipt"),
    [
        (Target(StopScope.EVERYTHING), True, True),
        (Target(StopScope.MARKETING), True, False),
        (Target(StopScope.CHANNEL, channel="email"), True, True),
        (Target(StopScope.CHANNEL, channel="sms"), False, False),
        (Target(StopScope.JOURNEY, journey="trial"), True, False),
        (Target(StopScope.JOURNEY, journey="order"), False, True),
        (Target(StopScope.STEP, journey="trial", step="tip"), True, False),
        (Target(StopScope.STEP, journey="trial", step="coupon"), False, False),
        (Target(StopScope.STEP, journey="order", step="tip"), False, False),
    ],
    ids=lambda each: each.in_words if isinstance(each, Target) else str(each),
)
def test_a_button_holds_what_it_names_and_marketings_leaves_a_receipt_alone(
    target: Target, mail: bool, receipt: bool
) -> None:
    assert (stops(target, MAIL), stops(target, RECEIPT)) == (mail, receipt)


def _asked_at(at: timedelta) -> Delivery:
    return Delivery(step="tip", occurrence="start", at=DUE + at, due_at=DUE, until=END, zone="UTC")


def test_a_stopped_message_waits_for_the_end_of_its_grace_and_is_over_then() -> None:
    in_force = [Target(StopScope.CHANNEL, channel="sms"), Target(StopScope.EVERYTHING)]
    assert held_up(in_force, MAIL, _asked_at(HOUR)) == STOPPED
    over = Settled(decision=Decision.NOT_SENT, reason=Reason.STOPPED)
    assert held_up(in_force, MAIL, _asked_at(DAY)) == over
    assert held_up(in_force[:1], MAIL, _asked_at(HOUR)) is None
    assert held_up([], MAIL, _asked_at(HOUR)) is None


def _stopped() -> Enrolled:
    one = Enrolled(TIP)
    return one.answer(one.take(DUE), STOPPED)


def test_a_stopped_step_says_so_and_until_when() -> None:
    one = _stopped()
    (row,) = progress(one.machine).steps
    assert (row.state, row.at, row.reason) == ("due", END, Reason.STOPPED)
    assert "| stopped |" in as_markdown(progress(one.machine))
    wake = one.machine.wakeup(DUE + HOUR)
    assert wake is not None
    assert Next.of(wake) == Next(step="tip", at=END, reason=Reason.STOPPED)


def test_what_comes_next_has_no_reason_in_orders_from_before_there_were_any() -> None:
    assert Next(step="tip", at=DUE).model_dump(mode="json") == {
        "step": "tip",
        "at": "2026-11-25T08:00:00Z",
    }


def test_when_it_is_lifted_the_step_comes_up_at_once() -> None:
    one = _stopped().tell(Retry(at=DUE + 3 * HOUR, step="tip"))
    delivery = one.take(DUE + 3 * HOUR)
    assert (delivery.at, delivery.due_at, delivery.until) == (DUE + 3 * HOUR, DUE, END)
    assert one.answer(delivery, SENT).told == [("tip", "sent", DUE + 3 * HOUR)]


def test_lifted_twice_is_lifted_once() -> None:
    one = _stopped().tell(Retry(at=DUE + HOUR, step="tip"))
    one.tell(Retry(at=DUE + 2 * HOUR, step="tip"))
    assert one.take(DUE + 2 * HOUR).at == DUE + HOUR


def test_a_step_that_waits_for_its_own_time_does_not_hear_of_it() -> None:
    one = Enrolled(TIP)
    before = one.machine.state
    one.tell(Retry(at=START + HOUR, step="tip")).tell(Retry(at=START + HOUR, step="gone"))
    assert one.machine.state == before


def test_lifted_while_the_answer_is_on_its_way_the_step_is_asked_about_once_more() -> None:
    one = Enrolled(TIP)
    delivery = one.take(DUE)
    one.tell(Retry(at=DUE + MINUTE, step="tip")).answer(delivery, STOPPED)
    again = one.take(DUE + MINUTE)
    assert again.at == DUE + MINUTE
    one.answer(again, STOPPED)  # pressed again meanwhile
    wake = one.machine.wakeup(DUE + MINUTE)
    assert wake is not None
    assert wake.at == END


def test_nobody_hears_of_it_once_the_enrollment_has_ended() -> None:
    one = _stopped()
    one.answer(one.take(END), SENT)
    before = one.machine.state
    one.tell(Retry(at=END + HOUR, step="tip"))
    assert one.machine.state == before


def test_still_stopped_at_the_end_it_is_asked_about_a_last_time() -> None:
    one = _stopped()
    assert one.take(END).at == END


def test_stopped_and_then_missed_it_was_not_sent_because_it_was_stopped() -> None:
    one = _stopped()
    assert one.machine.take(END + HOUR) is None
    assert one.told == [("tip", Reason.STOPPED, END)]


def test_what_is_stopped_holds_up_no_other_step() -> None:
    one = Enrolled(TIP, LATER)
    one.answer(one.take(DUE), STOPPED)
    assert one.take(DUE + 12 * HOUR).step == "later"
