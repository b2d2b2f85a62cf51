"""What is computed of customers by a policy, with its conditions as this room reads them.

Decides nothing. The surprising fact: it is known by the policy itself and not by what that
says, since a policy is parsed once a process and comparing two would cost more.
"""

from engine.computed import Computations, computations
from engine.policy import Policy
from rendering.conditions import counted

# The newest publication's, and others while one is under way or a folder is tried.
_MOST_POLICIES = 8
_known: dict[int, tuple[Policy, Computations]] = {}


def computations_of(policy: Policy) -> Computations:
    """What is to be computed by this policy."""
    known = _known.get(id(policy))
    if known is None or known[0] is not policy:
        while len(_known) >= _MOST_POLICIES:
            del _known[next(iter(_known))]
        known = _known[id(policy)] = policy, computations(policy, counted)
    return known[1]
