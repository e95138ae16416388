"""Every cost and every game keeps its laws, whoever adds it; and every law refutes one that is wrong in its way."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.laws import examine, examples
from mfgpde.core.register import Register
from mfgpde.games import Functional, MeanFieldGame, RunningCost, laws


def members(contract, what):
    """All of a kind, those that one file yields for all its functions once."""
    found = {}
    for name, make in Register("mfgpde.games", contract, what).items():
        for k, one in enumerate(examples(make)):
            once = make.__module__ if not isinstance(make, type) else name
            found[f"{once.split('.')[-1]} {k}"] = one
    return found


COSTS, CONTROLS, GAMES = (
    members(*kind) for kind in ((Functional, "cost"), (RunningCost, "cost"), (MeanFieldGame, "game"))
)
EVERY = [
    *((one, laws.LAWS) for one in COSTS.values()),
    *((one, laws.RUNNING_LAWS) for one in CONTROLS.values()),
    *((one, laws.GAME_LAWS) for one in GAMES.values()),
]


@pytest.mark.parametrize(("member", "laws"), EVERY, ids=[*COSTS, *CONTROLS, *GAMES])
def test_every_cost_and_game_keeps_its_laws(member, laws):
    for outcome in examine(member, laws):
        assert outcome.kept, f"{member!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"


LAW = mfg.gaussian(0.3, 0.5)


class Steep(mfg.games.Power):
    def first_variation(self, r, c):
        return 1.001 * super().first_variation(r, c)


class Concave(mfg.games.Power):
    def value(self, r, c):
        return -super().value(r, c)


class Short(mfg.games.ChiSquared):
    def conjugate(self, u, c):
        return 0.9 * super().conjugate(u, c)


class Late(mfg.games.Power):
    def proximal(self, y, s, c):
        return super().proximal(y, 1.1 * s, c)

    def kl_proximal(self, log_a, s, c):
        return super().kl_proximal(log_a, 1.1 * s, c)


class Elsewhere(mfg.games.Target):
    def kl_proximal(self, log_a, s, c):
        return super().kl_proximal(log_a, s, c) + 0.1


class Whole(mfg.games.Nonlocal):
    def value(self, r, c):
        return 2 * super().value(r, c)


class Quick(mfg.games.PowerCost):
    def hamiltonian(self, size):
        return 1.01 * super().hamiltonian(size)


class Swapped(mfg.games.PowerCost):
    def __reduce__(self):
        return Quick, (self.exponent,)


def wave(x):
    return np.exp(-np.sum(x * x, axis=-1))


class Uphill(MeanFieldGame):
    def velocity_of_drift(self, x, t, lengths):
        return -super().velocity_of_drift(x, t, lengths)


class Floored(mfg.games.ChiSquared):
    def value(self, r, c):
        return super().value(np.maximum(r, 1e-3), c)


GAME = next(one for one in GAMES.values() if one.drift_potential is not None)
BROKEN = {
    laws.variation_is_the_derivative: Steep(),
    laws.costs_are_convex: Concave(),
    laws.conjugates_are_conjugate: Short(LAW),
    laws.proximal_maps_are_minimisers: Late(),
    laws.entropic_maps_are_minimisers: Late(),
    laws.hard_costs_admit_their_law: Elsewhere(LAW),
    laws.nonlocal_variations_are_derivatives: Whole(wave),
    laws.other_units_change_nothing: Floored(LAW),
    laws.comes_back_from_a_pickle: mfg.games.Potential(lambda x, t: x[..., 0]),
    laws.hamiltonians_are_legendre_transforms: Quick(1.5),
    laws.costs_of_the_control_come_back_from_a_pickle: Swapped(1.5),
    laws.games_keep_the_laws_of_their_parts: replace(GAME, interaction=Late()),
    laws.drifts_descend_their_potential: Uphill(GAME.initial, GAME.terminal, drift_potential=GAME.drift_potential),
}


@pytest.mark.parametrize("law", [*laws.LAWS, *laws.RUNNING_LAWS, *laws.GAME_LAWS], ids=lambda law: law.__name__)
def test_every_law_refutes_somebody(law):
    (outcome,) = examine(BROKEN[law], (law,))
    assert not outcome.kept
