"""A certificate that was killed goes on from the laws it had, to the same numbers."""

import jax.numpy as jnp
import pytest

import mfgpde as mfg
from mfgpde.diagnostics import certificate


class Killed(BaseException):
    pass


def bent(x, t):
    """Return the potential of the stationary law with a bump."""
    return -jnp.sum(x**2) + 0.3 * jnp.cos(t) * jnp.exp(-jnp.sum(x**2))


def test_an_interrupted_certificate_goes_on(tmp_path, monkeypatch):
    """Each of its five laws in turn is where it was killed; those before are not asked for again."""
    process, grid, place = mfg.OrnsteinUhlenbeck(), mfg.CartesianGrid.cube(4.0, 48, 1), tmp_path / "state.npz"
    score = mfg.JaxScore(bent, 1)
    whole = certificate.certify(process, score, grid)
    asked = []

    def counted(make, wrong):
        def law(*given, **options):
            if len(asked) == wrong:
                raise Killed
            asked.append(make.__name__)
            return make(*given, **options)

        return law

    for wrong in range(1, 6):
        with monkeypatch.context() as context:
            for name in ("induced_sde", "induced_ode"):
                context.setattr(certificate, name, counted(getattr(mfg, name), wrong))
            if wrong < 5:
                with pytest.raises(Killed):
                    certificate.certify(process, score, grid, checkpoint=place)
            else:
                again = certificate.certify(process, score, grid, checkpoint=place)
    assert len(asked) == 5
    assert not place.exists()
    assert again.measured == whole.measured
    assert again.facts["cost"]["score evaluations"] == whole.facts["cost"]["score evaluations"]
