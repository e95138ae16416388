"""Processes that end with the one that started them, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""Linux's request for a signal when the parent ends"""


def end_with_parent(parent: int = 0) -> None:
    """Have the system end this process with its parent (Linux), and leave the keyboard's interruptions to that.

    Where the parent's number is given and it has ended already, this process ends at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ask_for_end()
    if parent and os.getppid() != parent:
        os._exit(1)


def ask_for_end() -> None:
    """Have the system end this process with its parent: Linux does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
