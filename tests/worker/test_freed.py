"""Memory that is freed goes back to the system."""

import ctypes
import subprocess
import sys

import pytest

# How much of 1 MB is the system's own block, after a larger one was freed.
_LOOK = """
import ctypes, sys
from worker.freed import give_back_what_is_freed

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in [*"abcd", "mapped", *"efghi"]]

mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Info
if sys.argv[1:] == ["told"]:
    give_back_what_is_freed()
del (larger := [bytes(4 << 20)])[:]
before = mallinfo().mapped
kept = bytes(1 << 20)
print(mallinfo().mapped - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="not glibc, or before 2.33")
def test_a_large_block_is_the_systems_also_after_one_was_freed() -> None:
    assert _mapped(told=True) >= 1 << 20
    assert _mapped(told=False) == 0  # or there would be nothing to tell


def _mapped(*, told: bool) -> int:
    command = [sys.executable, "-c", _LOOK, *(["told"] if told else [])]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
