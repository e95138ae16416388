"""The machine itself: each claim in a process forked from a warm one, several at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


class Processes(ThreadPoolExecutor):
    """Threads that wait for the processes in which claims are judged."""
