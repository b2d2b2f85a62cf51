"""What a key may do. Imports nothing, so that the command line can name the scopes at once."""

from collections.abc import Collection
from enum import StrEnum


class Scope(StrEnum):
    """What a key may do, as it is written in the store and on the command line."""

    EVENTS_WRITE = "events:write"  # put events in
    SUPPORT = "support"  # look at customers, steer their enrollments, change their consent
    BROADCASTS = "broadcasts"  # write to everybody at once, and stop it
    OFFERS = "offers"  # look a coupon up, note that it was used
    ADMIN = "admin"  # what support may, and what can't be undone or concerns the installation


ALL_SCOPES = tuple(Scope)

# `events:write` is apart on purpose: the key in every copy of an app opens nothing, and the
# key of a person can't put words into a customer's mouth. Who needs both asks for both.
_GIVEN_BY = {
    Scope.EVENTS_WRITE: frozenset({Scope.EVENTS_WRITE}),
    Scope.SUPPORT: frozenset({Scope.SUPPORT, Scope.ADMIN}),
    # A shop's till needs this and nothing else.
    Scope.OFFERS: frozenset({Scope.OFFERS, Scope.SUPPORT, Scope.ADMIN}),
    # Who helps one customer need not be able to write to all of them.
    Scope.BROADCASTS: frozenset({Scope.BROADCASTS, Scope.ADMIN}),
    Scope.ADMIN: frozenset({Scope.ADMIN}),
}


def may(scopes: Collection[str], scope: Scope) -> bool:
    """Whether a key with these scopes may do what needs that one."""
    return not _GIVEN_BY[scope].isdisjoint(scopes)
