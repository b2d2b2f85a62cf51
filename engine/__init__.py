"""The room that decides.

Pure: no clock, no I/O, no randomness, no Temporal, no SQL. Everything here is told what
happened and what time it is, and answers what to do and when it wants to be woken.
"""

from engine.localtime import pin_tzdata

# Before anything of this room asks for a zone: `policy` checks names as it loads.
pin_tzdata()
