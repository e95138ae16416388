"""Names that things had one release ago: who uses one is told the present one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NoReturn, cast


class Former:
    """An attribute's former name: asking for it is an AttributeError that says the present one."""

    def __init__(self, present: str):
        self.present = present

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__}.{self.name} is now called {self.present!r}")


def renamed[Named: Callable[..., Any]](**names: str) -> Callable[[Named], Named]:
    """Refuse former names, given as former=present: of a function's arguments, or of a class's fields and methods.

    A class that comes from such a class and still defines a former name is refused when it is made.

    >>> @renamed(rate="learning_rate")
    ... def train(learning_rate=1e-2):
    ...     return learning_rate
    >>> train(rate=0.1)
    Traceback (most recent call last):
    TypeError: train: the argument 'rate' is now called 'learning_rate'
    """

    def decorate(named: Named) -> Named:
        if not isinstance(named, type):
            return cast(Named, _checked(named, named.__name__, names))
        made = cast(Any, named)
        for former, present in names.items():
            setattr(made, former, _former(made, former, present))
        if made.__init__ is not object.__init__:  # which would take the arguments of a __new__ for its own
            made.__init__ = _checked(made.__init__, made.__name__, names)
        own: Any = vars(named).get("__init_subclass__")

        def of_heir(cls: type, **options: Any) -> None:
            for former, present in names.items():
                if former in vars(cls):
                    raise TypeError(f"{cls.__name__}: {former!r} is now called {present!r}")
            (own.__get__(None, cls) if own else super(named, cls).__init_subclass__)(**options)

        made.__init_subclass__ = classmethod(of_heir)
        return made

    return decorate


def _former(owner: type, name: str, present: str) -> Former:
    found = Former(present)
    found.__set_name__(owner, name)
    return found


def _checked(function: Callable[..., Any], name: str, names: Mapping[str, str]) -> Callable[..., Any]:
    @wraps(function)
    def checked(*values: Any, **options: Any) -> Any:
        for former in names.keys() & options.keys():
            raise TypeError(f"{name}: the argument {former!r} is now called {names[former]!r}")
        return function(*values, **options)

    return checked
