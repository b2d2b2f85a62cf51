"""What an error of the database means for whoever waits for the answer."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

# Two transactions that waited for one another, and one that can't be put in a row with others
# (PostgreSQL, appendix A: class 40, transaction rollback).
_CONFLICTS = frozenset({"40P01", "40001"})

# What a statement, or a connection that could not be had, may raise.
TROUBLE = (DBAPIError, NoConnectionFreeError, ConnectionError)


def is_away(error: BaseException) -> bool:
    """Whether the store is to blame: it can't be reached, is locked, or went away meanwhile."""
    if isinstance(error, DBAPIError):
        return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    return isinstance(error, TROUBLE)


def is_conflict(error: DBAPIError) -> bool:
    """Whether the same transaction would probably succeed if it were begun anew."""
    return getattr(error.orig, "sqlstate", None) in _CONFLICTS
