"""A claim in a few lines: one decorated function, its falsehoods as other arguments of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping

from mfgpde.verify.claim import Claim, Evidence, Level
from mfgpde.verify.finding import Finding

Findings = Finding | Iterable[Finding] | Evidence


def states(
    statement: str,
    source: str = "",
    *,
    wrong: Mapping[str, Mapping[str, object]] | None = None,
    standing: str = "theorem",
    assumes: tuple[str, ...] = (),
) -> Callable[[Callable[..., Findings]], Claim]:
    """Decorate a function that returns or yields findings, and get the claim: assign it to, or call it, `claim`.

    `wrong` names false variants by the arguments with which the function measures them; each must come out refuted.
    Arguments with default 1.0 are coefficients, whose smallest change that would be noticed is reported. `rng` and cases
    are for the longer form.

    Raises ValueError without a statement, a source or a false variant, and for one whose arguments the function has not.

    >>> @mfg.verify.states(r"1+1=2", "arithmetic", wrong={"three": {"factor": 1.5}})
    ... def claim(level, factor=1.0):
    ...     counted = mfg.Estimate(factor * 2.0, 1e-9, mfg.Kind.BOUND, "rounding")
    ...     return mfg.verify.equal("sum", counted, 2.0, resolution=1e-3, because="whole numbers differ by 1")
    >>> claim.controls, claim.coefficients
    (('three',), ('factor',))
    """
    if not isinstance(statement, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # @states without brackets
        raise ValueError(
            "@states takes the statement in LaTeX, its source, and its controls: "
            "@states(r'x = 2y', 'my2026, eq. (1)', wrong={'half of it': {'factor': 0.5}})"
        )
    if not isinstance(wrong, Mapping) or not all(isinstance(one, Mapping) for one in wrong.values()) or not wrong:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(
            "the claim needs a control, a false variant that the same function must refute, named with the arguments that "
            f"make it false: wrong={{'half of it': {{'factor': 0.5}}}}; got wrong={wrong!r}"
        )

    def made(function: Callable[..., Findings]) -> Claim:
        parameters = inspect.signature(function).parameters
        names = [name for name, one in parameters.items() if one.default == 1.0 and isinstance(one.default, float)]
        claim = Claim(statement, source, standing, assumes, tuple(names), title=_first_line(function))
        for description, arguments in wrong.items():
            unknown = arguments.keys() - parameters.keys()
            if unknown or not arguments:
                raise ValueError(
                    f"the false variant {description!r} is made by arguments of {function.__name__}"
                    f"({', '.join(parameters)}), got {dict(arguments)}"
                )
            claim.control(description)(_variant(function, arguments))
        claim.measure(_measure(function))
        return claim

    return made


def _measure(function: Callable[..., Findings]) -> Callable[..., Evidence]:
    def measure(level: Level, **changed: object) -> Evidence:
        return _evidence(function(level, **changed))

    measure.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]  # what may be changed, and to what
    return measure


def _variant(function: Callable[..., Findings], arguments: Mapping[str, object]) -> Callable[..., Evidence]:
    def variant(level: Level) -> Evidence:
        return _evidence(function(level, **arguments))

    return variant


def _evidence(found: Findings) -> Evidence:
    if isinstance(found, Evidence):
        return found
    if found is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise TypeError("the function returned nothing; return or yield equal(…), at_most(…) or at_least(…)")
    return Evidence([found] if isinstance(found, Finding) else list(found))


def _first_line(function: Callable[..., Findings]) -> str:
    return (inspect.getdoc(function) or "").split("\n")[0]
