"""How often Python looks for garbage that only points at itself: seldom.

Nearly all of ours is freed at once, by its count; each look goes through what a request is
made of, which is kept a moment later anyway. By Python's defaults an API under load spends a
tenth of its time on looking. The price is some megabytes that are freed a little later.
"""

import gc

# Objects made and not freed since the last look. A hundred calls are some ten thousand.
_MADE_BETWEEN = 20_000


def collect_seldom() -> None:
    """For a process that has imported what it needs: that is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MADE_BETWEEN, *gc.get_threshold()[1:])
