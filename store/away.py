"""Which errors mean that the database is away, whatever the layer calls them that met it.

Knows errors, no connections. The one surprising fact: a PostgreSQL that is stopping or
starting up answers, and what it says reaches us as the same bare `DBAPIError` as a statement
of ours that is wrong. Only the SQLSTATE tells the two apart.
"""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

# PostgreSQL's error codes (its manual, appendix A): the connection is broken (class 08), the
# server is short of connections, memory or disk (53), it stops, has crashed or starts (57P).
_AWAY = ("08", "53", "57P")

# Two transactions that waited for one another, and one that can't be put in a row with others
# (class 40, transaction rollback).
_CONFLICTS = frozenset({"40P01", "40001"})

# What can be away at all: everything else is not worth the question.
AWAY_ERRORS: tuple[type[Exception], ...] = (DBAPIError, NoConnectionFreeError, OSError)


def is_away(error: BaseException) -> bool:
    """Whether the store is to blame: it can't be reached, is locked, or went away meanwhile.

    Only of an error that came from the store: any `OSError` counts.
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, AWAY_ERRORS)
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return True
    return str(getattr(error.orig, "sqlstate", None) or "").startswith(_AWAY)


def is_conflict(error: DBAPIError) -> bool:
    """Whether the same transaction would probably succeed if it were begun anew."""
    return getattr(error.orig, "sqlstate", None) in _CONFLICTS
