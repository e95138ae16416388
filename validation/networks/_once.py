"""What a measure shares with its false variants and coefficients: drawn, solved and trained once in a process."""

import numpy as np

from mfgpde.core.identity import digest

KEPT = {}
"""results, and how generators were left, by function and what decides them"""


def once(make, *arguments):
    """Return make(*arguments); the same arguments have the same result, and leave generators as the first call did.

    Laws, arrays, functions and numbers count by what is in them, generators by their state.
    """
    generators = [one for one in arguments if isinstance(one, np.random.Generator)]
    named = [str(one.bit_generator.state) if isinstance(one, np.random.Generator) else one for one in arguments]
    key = make, digest(arguments=named)
    if key not in KEPT:
        found = make(*arguments)
        KEPT[key] = found, [one.bit_generator.state for one in generators]
    found, states = KEPT[key]
    for one, state in zip(generators, states, strict=True):
        one.bit_generator.state = state
    return found
