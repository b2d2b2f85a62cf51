"""What readers got, beside what the store says of it: whoever was lost or written to twice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.reasons import Decision

# A transactional message goes twice at most where nobody can say (activities.desk.Desk.copies).
_COPIES = 2


@dataclass(frozen=True)
class Told:
    """What the store says became of one message. `about` is for whoever reads a failure."""

    reader: str
    decision: Decision | None
    transactional: bool = False
    about: str = ""


def mistakes(told: Sequence[Told], readers: Sequence[str], *, honours_keys: bool) -> list[str]:
    """Every message of which the store and the readers say different things."""
    got = Counter(readers)
    found = [(each, _mistake(each, got[each.reader], honours_keys)) for each in told]
    strangers = [f"{reader} got what nobody decided" for reader in {*got} - _readers(told)]
    return [f"{each.about} {what}" for each, what in found if what is not None] + strangers


def _readers(told: Sequence[Told]) -> set[str]:
    return {each.reader for each in told}


def _mistake(told: Told, copies: int, honours_keys: bool) -> str | None:
    if told.decision is None:
        return "was left behind"
    if told.decision is Decision.SENT and copies == 0:
        return "was lost: sent, and nobody got it"
    if told.decision is Decision.NOT_SENT and copies > 0:
        return "was not sent, and somebody got it"
    if copies > (_COPIES if told.transactional and not honours_keys else 1):
        return f"was got {copies} times"
    return None
