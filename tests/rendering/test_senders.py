"""`from` finds a person a message can come from, or nobody."""

import pytest

from engine.policy import Sender
from rendering.errors import SenderSyntaxError
from rendering.senders import MessageSender, compile_sender, find_sender

ANN = MessageSender("Ann Lee", "ann@acme.example")


@pytest.mark.parametrize(
    "rep",
    [
        {"name": "Ann Lee", "email": "ann@acme.example", "phone": 1},
        {"name": " Ann Lee ", "email": " ann@acme.example "},
        "Ann Lee <ann@acme.example>",
    ],
)
def test_a_person_is_read_in_either_form(rep: object) -> None:
    assert compile_sender("customer.rep").find({"rep": rep}, {}) == ANN


def test_a_name_may_be_missing() -> None:
    for rep in ({"email": "ann@acme.example"}, "ann@acme.example", "<ann@acme.example>"):
        assert compile_sender("event.rep").find({}, {"rep": rep}) == MessageSender(
            "", "ann@acme.example"
        )


@pytest.mark.parametrize(
    "rep",
    [None, {}, {"name": "Ann"}, {"email": None}, {"email": 5}, "Ann", "", 5, ["ann@acme.example"],
     "Ann <a@b.example>, Bob <b@b.example>", {"email": "ann@acme.example\r\nBcc: e@x.example"}],
)  # fmt: skip
def test_nobody_is_known_where_mail_can_t_come_from_there(rep: object) -> None:
    assert compile_sender("customer.rep").find({"rep": rep}, {}) is None


def test_an_expression_that_goes_wrong_finds_nobody() -> None:
    assert (
        compile_sender("customer.name + ' <' + customer.mail + '>'").find({"name": "A"}, {}) is None
    )
    assert (
        compile_sender("customer.a ~ ' <' ~ customer.b ~ '>'").find(
            {"a": "Ann Lee", "b": "ann@acme.example"}, {}
        )
        == ANN
    )


def test_a_mistake_is_told_when_the_journey_is_read() -> None:
    with pytest.raises(SenderSyntaxError, match="did you mean `customer`"):
        compile_sender("custmer.rep")
    with pytest.raises(SenderSyntaxError, match="there is no function `sent`"):
        compile_sender("sent('a')")


USUAL = Sender(name="Acme", email="hello@acme.example", reply_to="support@acme.example")


def test_answers_go_to_the_person_who_writes() -> None:
    rep = {"name": "Ann Lee", "email": "ann@acme.example"}
    assert find_sender("customer.rep", {"rep": rep}, {}, USUAL) == Sender(
        name="Ann Lee", email="ann@acme.example"
    )


def test_answers_go_where_the_person_says() -> None:
    rep = {"name": "Ann Lee", "email": "ann@acme.example", "reply_to": "desk@acme.example"}
    assert find_sender("customer.rep", {"rep": rep}, {}, USUAL).reply_to == "desk@acme.example"


@pytest.mark.parametrize("reply_to", ["nobody", 5, "a@b.example\r\nBcc: e@x.example", None, ""])
def test_a_place_for_answers_that_is_none_is_the_person(reply_to: object) -> None:
    rep = {"email": "ann@acme.example", "reply_to": reply_to}
    assert find_sender("customer.rep", {"rep": rep}, {}, USUAL) == Sender(
        name="Acme", email="ann@acme.example"
    )


def test_where_nobody_is_named_the_policy_writes() -> None:
    assert find_sender(None, {}, {}, USUAL) == USUAL
    assert find_sender("customer.rep", {}, {}, USUAL) == USUAL
