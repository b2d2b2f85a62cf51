"""How long the workflow waits for its activities, and how often it asks again."""

from datetime import timedelta

from temporalio.common import RetryPolicy

# One attempt of `deliver`: two short transactions and one provider call, whose own time-out
# is 30 s. Beyond this the worker is taken for dead and another one asks what became of it.
DELIVER_ATTEMPT = timedelta(seconds=60)

# An attempt that takes longer than a few seconds says that it lives; a worker that was killed
# does not, and this long after its last sign of life another one takes over. Long enough for
# a worker that is only very busy.
DELIVER_HEARTBEAT = timedelta(seconds=10)

# `deliver` watches its deadline itself and settles there; this is only the backstop behind
# it: one attempt under way at the deadline, and the longest pause before it.
DELIVER_SLACK = DELIVER_ATTEMPT + timedelta(minutes=6)

# A prompt delivery answers in milliseconds or fails after some seconds of trouble; only one
# whose worker died takes this long to be noticed. Until then the loop arms no timer beyond
# it: a timer set while a delivery is out is wasted when the answer is *not yet*.
PROMPT_LIMIT = DELIVER_ATTEMPT + timedelta(seconds=15)

# Trouble is a provider's outage or a broken template: seconds when it is short, and no more
# than a call each five minutes when it is long. `deliver` shortens the last pause itself.
DELIVER_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=5),
)

# `record` and `settle_only` only need the store; it comes back, and until then nothing else
# of this enrollment can happen either.
RECORD_ATTEMPT = timedelta(seconds=30)
RECORD_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=1),
)

# A page of a broadcast works for some seconds, and then lets what is in the air land: each of
# those is an attempt of `deliver`. It says that it lives, so this is only the backstop.
BROADCAST_PAGE_ATTEMPT = timedelta(minutes=5)

# Where nobody could be sent anything, the pages come less and less often; what met trouble is
# not tried again before some seconds have passed anyway.
TROUBLED_PAUSE = timedelta(seconds=2)
LONGEST_TROUBLED_PAUSE = timedelta(minutes=1)

# How far a broadcast may fall behind its rate and then catch up: a timer is up to a second
# late, a deploy takes some more. What was lost to an outage is not made up for by a burst.
BEHIND_AT_MOST = timedelta(seconds=5)

# Temporal refuses the 10,001st signal to a run and suggests no continue-as-new for their
# number, so we count; at 2,000 history is still short enough to read.
MAX_SIGNALS = 2_000

# Temporal's task priorities run from 1 to 5, 3 being the default.
PRIORITY_TRANSACTIONAL = 2
PRIORITY_MARKETING = 4

# A patch (`workflow.patched`): enrollments that had two deliveries under way at once before it
# go on as they began, and may show the store's older word of what comes next.
RECORD_AFTER_TWO_AT_ONCE = "record-after-two-at-once"

# A patch: a signal that an older worker has dropped must stay dropped when its run is replayed.
HEAR_RETRY = "hear-retry"
