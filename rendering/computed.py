"""What is computed of customers by a policy, with conditions as they are written there.

Decides nothing: it hands `engine.computed` the reading of conditions, which is this room's.
"""

from engine.computed import Computations

from engine.policy import Policy


def computations_of(policy: Policy) -> Computations:
    """What is to be computed by this policy; kept for as long as it is in use."""
    raise NotImplementedError
