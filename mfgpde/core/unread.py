"""Whether a function of time looks at its time: one that does not is still, and has nothing that samples could miss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class _Read(BaseException):
    """Raised by whatever is done with a time that nobody should read; no `except Exception` on the way hides it."""


class Unread:
    """A time that can be handed on, and notes that somebody did anything else with it."""

    def __init__(self, seen: list[str]) -> None:
        object.__setattr__(self, "seen", seen)

    def __getattribute__(self, name: str) -> Any:
        object.__getattribute__(self, "seen").append(name)
        raise _Read(name)


def _noted(name: str) -> Callable[..., Any]:
    def method(self: Unread, *_: Any, **__: Any) -> Any:
        return self.__getattribute__(name)

    return method


BINARY = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"
OTHERS = (
    "eq ne lt le gt ge hash bool float int index complex neg pos abs invert round trunc floor ceil len iter next reversed "
    "contains getitem setitem call str repr format bytes array array_ufunc array_function setattr reduce_ex copy deepcopy"
)
for _name in (*BINARY.split(), *(f"r{word}" for word in BINARY.split()), *(f"i{word}" for word in BINARY.split())):
    setattr(Unread, f"__{_name}__", _noted(_name))
for _name in OTHERS.split():
    setattr(Unread, f"__{_name}__", _noted(_name))


def reads_time(function: Callable[[Any], Any]) -> bool:
    """Say whether a function does more with its time than hand it on; one that fails does.

    It is called once. What it does with its time is noted even where it catches what is raised then. A function that asks a
    clock of its own, or for `type(t)`, is not seen through.

    >>> reads_time(lambda t: 0.5), reads_time(lambda t: 1.0 if t < 0.2 else 0.5)
    (False, True)
    """
    seen: list[str] = []
    try:
        function(Unread(seen))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # whatever a function does without its time
        return True
    return bool(seen)
