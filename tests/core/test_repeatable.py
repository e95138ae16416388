"""What is random from call to call is refused before any work, wherever a function of x and t is asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import mfgpde as mfg
from mfgpde.app.cli import app
from mfgpde.core.repeatable import SAME, require_repeatable
from mfgpde.diagnostics.by_sampling import certify_by_sampling
from mfgpde.diagnostics.certificate import certify
from mfgpde.samplers import DDIM, LogSNR, Model
from mfgpde.samplers.ledger import ledger

OU, GRID = mfg.OrnsteinUhlenbeck(), mfg.CartesianGrid.cube(4.0, 32, 1)
LAW = mfg.gaussian(0.0, 0.5)
EXACT = mfg.ExactScore(OU, LAW)
HIGH = mfg.ExactScore(OU, mfg.gaussian(np.zeros(5), 0.5 * np.eye(5)))
UNITS = st.sampled_from([1e-9, 1.0, 1e9])
SEEDS = st.integers(0, 2**32 - 1)


def dropout(exact=EXACT, share=0.1):
    """Return the exact score with dropout left on: each value is kept, and raised, or zero."""
    rng = np.random.default_rng(0)
    return lambda x, t: np.where(rng.random(x.shape) < share, 0.0, exact(x, t) / (1 - share))


class Hutchinson(mfg.ExactScore):
    """A score whose divergence is by random probes, its values those of a function."""

    def divergence(self, x, t):
        """Return the divergence of a linear score, and noise without mean."""
        return super().divergence(x, t) + np.random.default_rng().normal(size=x.shape[:-1])


@given(SEEDS, UNITS, st.floats(0.05, 0.5))
def test_dropout_is_seen_in_any_unit_and_rounding_is_not(seed, unit, share):
    rng, x = np.random.default_rng(seed), np.random.default_rng(seed).normal(size=(81, 2))

    def noisy(x, t):
        return unit * x * (rng.random(x.shape) > share)

    def rounded(x, t):
        return unit * (x + 0.4 * SAME * rng.uniform(-1, 1, x.shape))

    with pytest.raises(ValueError, match=r"it is random: at x = \(.*when asked the same again.*model\.eval\(\)"):
        require_repeatable(noisy, x, 0.5, "it")
    require_repeatable(rounded, x, 0.5, "it")


@given(st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1.0]), min_size=1, max_size=6))
def test_what_is_not_finite_both_times_is_the_same(values):
    found = require_repeatable(lambda x, t: np.array(values)[:, None], np.zeros((len(values), 1)), 0.5, "it")
    np.testing.assert_array_equal(found[:, 0], values)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: certify(OU, mfg.scores.Differenced(dropout(), 1), GRID),
        lambda: certify_by_sampling(OU, mfg.scores.Differenced(dropout(HIGH), 5), 5, trajectories=64),
        lambda: certify(OU, Hutchinson(OU, LAW), GRID),
        lambda: mfg.induced_sde(OU, dropout(), GRID),
        lambda: mfg.solve(mfg.FokkerPlanck.reverse(OU, dropout()), mfg.FiniteVolume(GRID), LAW, (0.0, 0.5)),
        lambda: ledger(DDIM(), Model(OU, dropout()), LogSNR().times(OU, 8, stop=1e-2), LAW),
        lambda: mfg.samplers.generated_law(DDIM(), Model(OU, dropout()), LogSNR().times(OU, 8, stop=1e-2), LAW),
    ],
    ids=["certify", "by sampling", "divergence", "induced", "solve", "ledger", "generated"],
)
def test_it_is_refused_before_the_work(ask):
    with pytest.raises(ValueError, match=r" is random: at x = .*fixed seed"):
        ask()


@pytest.mark.parametrize("command", ["check", "sampler"])
@pytest.mark.parametrize("read", ["-x", "-np.asarray(x)"], ids=["JAX", "NumPy"])
def test_commands_refuse_it_with_what_to_try(command, read, tmp_path):
    file = tmp_path / "net.py"
    file.write_text(
        "import numpy as np\n\nrng = np.random.default_rng(0)\n\n\n"
        f"def score(x, t):\n    return {read} * (rng.random(x.shape) > 0.2)\n"
    )
    ask = {
        "check": ["check", f"{file}:score", "--process", "ornstein-uhlenbeck", "--dimension", "1", "--cells", "32"],
        "sampler": ["sampler", "ddim", "--ledger", "--score", f"{file}:score", "--process", "variance-preserving"],
    }[command]
    found = CliRunner().invoke(app, [*ask, "--out", str(tmp_path / "out")])
    assert found.exit_code == 1
    assert "is random" in found.output
    assert "model.eval()" in found.output
