"""How often Python looks for garbage that only points at itself: seldom.

Nearly all of ours is freed at once, by its count; each look goes through what a request is
made of, most of which goes a moment later anyway. By Python's defaults an API under load spends
a tenth of its time on looking. The price is some megabytes that are freed a little later: what
has become old is looked at as often as ever, or a process that runs for weeks would grow.
"""

import gc

# Objects made and not freed since the last look at the young: a hundred calls are some ten
# thousand. Then how many of these looks come to one at the middle-aged, and of those to one at
# all: once in 100,000 objects, as by Python's own 700, 10 and 10 once in 70,000.
_THRESHOLDS = 10_000, 5, 2


def collect_seldom() -> None:
    """For a process that has imported what it needs: that is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
