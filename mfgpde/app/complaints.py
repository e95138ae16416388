"""How the command line fails: in one sentence, with an exit code, on all ranks at once."""

from __future__ import annotations

import typer

from mfgpde.core.optional import explained
from mfgpde.core.printable import printable


def _say(words: str) -> None:
    typer.echo(printable(words), err=True)


def ended(code: int, words: str) -> typer.Exit:
    """Return the end of a command; if its code is not 0, say on standard error in one sentence what that means here."""
    if code:
        _say(f"exit code {code}: {words}")
    return typer.Exit(code)


class Complaints:
    """Turns bad input and interruptions into one clear sentence and an exit code, on all ranks at once."""

    def __init__(self, ranks: int = 1) -> None:
        self.ranks = ranks

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, problem: BaseException | None, _trace: object) -> None:
        if isinstance(problem, typer.Exit):  # an exit code that was meant
            return
        if self.ranks > 1 and problem is not None:
            from mfgpde.discretisations.finite_element import abort

            _say(f"error: {type(problem).__name__}: {problem}")
            abort()  # the other ranks may be waiting for this one
        if isinstance(problem, KeyboardInterrupt):
            typer.echo("\ninterrupted; what is finished is kept, the same command goes on from there", err=True)
            raise typer.Exit(130) from None
        if isinstance(problem, OSError):
            _say(f"error: cannot write or read {problem.filename}: {problem.strerror}")
            raise typer.Exit(1) from None
        problem = (explained(problem) or problem) if isinstance(problem, ImportError) else problem
        if isinstance(problem, ValueError | TypeError | RuntimeError | ImportError):
            _say(f"error: {problem}")
            raise typer.Exit(1) from None
