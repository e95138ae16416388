"""What an argument must be able to do, asked in one sentence before any work."""

from __future__ import annotations

from typing import Any, cast


def members(contract: type) -> frozenset[str] | None:
    """Return the names that a Protocol asks for; None for a class, which asks for its heirs."""
    return cast(Any, vars(contract).get("__protocol_attrs__"))


def require(thing: object, contract: type, what: str, otherwise: str = "") -> None:
    """Raise TypeError unless `thing` keeps a contract: `what` it is to be, what it lacks, and what would do `otherwise`.

    >>> from mfgpde.processes import LinearProcess
    >>> require(3.0, LinearProcess, "the process")
    Traceback (most recent call last):
    TypeError: the process must be a LinearProcess, got 3.0
    """
    if isinstance(thing, contract):
        return
    asked = members(contract)
    lacks = ", ".join(name for name in sorted(asked or ()) if not hasattr(thing, name)).replace("__call__", "a call")
    name = str(getattr(thing, "__name__", "")) or (repr(thing) if len(repr(thing)) < 60 else type(thing).__name__)
    said = f"{name}, which has no {lacks}" if lacks and callable(thing) else name
    raise TypeError(f"{what} must be a {contract.__name__}, got {said}" + (f"; {otherwise}" if otherwise else ""))
