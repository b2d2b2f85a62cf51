"""The names that belong to Parcours."""

from engine.events import BUILT_IN_EVENTS, is_built_in, is_reserved


def test_every_built_in_event_is_reserved() -> None:
    assert BUILT_IN_EVENTS
    assert all(is_reserved(name) and is_built_in(name) for name in BUILT_IN_EVENTS)


def test_a_dot_reserves_a_name_that_is_not_built_in_yet() -> None:
    assert is_reserved("message.read")
    assert not is_built_in("message.read")


def test_names_without_a_dot_are_the_apps() -> None:
    assert not is_reserved("trial_started")
    assert not is_built_in("trial_started")
