"""A certificate that was killed goes on from the laws, or trajectories, that it had, to the same numbers."""

import threading
from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core import checkpoint, kept
from mfgpde.diagnostics import by_sampling, certificate
from mfgpde.diagnostics.by_sampling import certify_by_sampling
from mfgpde.diagnostics.data import Named, Sampled


class Killed(BaseException):
    pass


def bent(x, t):
    """Return the potential of the stationary law with a bump."""
    return -jnp.sum(x**2) + 0.3 * jnp.cos(t) * jnp.exp(-jnp.sum(x**2))


@pytest.mark.slow
@pytest.mark.parametrize("cores", [1, 2])
def test_an_interrupted_certificate_goes_on(tmp_path, monkeypatch, cores):
    """Killed once so many of its laws and their room are kept, whichever they are: those are not asked for again."""
    process, grid, place = mfg.OrnsteinUhlenbeck(), mfg.CartesianGrid.cube(4.0, 48, 1), tmp_path / "state.npz"
    score = mfg.JaxScore(bent, 1)
    monkeypatch.setattr(certificate, "granted", lambda: cores)
    whole = certificate.certify(process, score, grid)
    made, part = [], kept.Kept.part

    def counted(self, name, make, **options):
        fresh = []

        def making():
            if len(made) >= wrong:
                raise Killed
            fresh.append(name)
            return make()

        found = part(self, name, making, **options)
        made.extend(fresh)  # once it is kept
        return found

    monkeypatch.setattr(kept.Kept, "part", counted)
    for wrong in range(1, 7):
        if len(made) < 7:  # both sides may have had one
            with pytest.raises(Killed):
                certificate.certify(process, score, grid, checkpoint=place)
            assert len(made) >= wrong
            assert place.exists()
    wrong = 8
    again = certificate.certify(process, score, grid, checkpoint=place)
    assert sorted(made) == ["few ode", "fine sharp sde", "ode", "room", "sde", "sharp ode", "sharp sde"]
    assert not place.exists()
    assert again.measured == whole.measured
    assert again.facts["cost"]["score evaluations"] == whole.facts["cost"]["score evaluations"]


@pytest.mark.slow
def test_laws_side_by_side_are_those_one_after_the_other(monkeypatch):
    """To the last bit; beside each other they are where a score says that threads may share it, and only there."""
    process, grid = mfg.OrnsteinUhlenbeck(), mfg.CartesianGrid.cube(3.0, 32, 2)
    threads = {}

    def seen(make):
        def law(*given, **options):
            threads.setdefault(make.__name__, set()).add(threading.get_ident())
            return make(*given, **options)

        return law

    for name in ("induced_sde", "induced_ode"):
        monkeypatch.setattr(certificate, name, seen(getattr(mfg, name)))

    def found(cores, score=None):
        threads.clear()
        monkeypatch.setattr(certificate, "granted", lambda: cores)
        return certificate.certify(process, score or mfg.JaxScore(bent, 2), grid)

    one = found(1)
    assert threads["induced_ode"] == threads["induced_sde"]
    two = found(2)
    assert threads["induced_ode"].isdisjoint(threads["induced_sde"])
    assert (two.measured, two.rows, two.warnings) == (one.measured, one.rows, one.warnings)
    assert two.facts["bound"] == one.facts["bound"]
    for name, field in one.fields.items():
        np.testing.assert_array_equal(two.fields[name].values, field.values)
    found(2, mfg.ExactScore(process, mfg.gaussian(np.zeros(2), 0.4 * np.eye(2))))  # it keeps laws of late
    assert threads["induced_ode"] == threads["induced_sde"]


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False], ids=["a law", "samples of few levels"])
def test_an_interrupted_certificate_by_trajectories_goes_on(tmp_path, monkeypatch, named):
    """Killed in every third part, of trajectories, residuals and likelihoods: what was had is not asked for again."""
    monkeypatch.setattr(checkpoint, "PAUSE", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", np.inf)
    process, law, place = mfg.OrnsteinUhlenbeck(), mfg.gaussian(np.zeros(5), 0.3 * np.eye(5)), tmp_path / "state.npz"
    if named:
        data = Named.stopped(process, law, 0.02)
    else:
        levels = np.round(4 * law.sample(300, np.random.default_rng(0))) / 4
        data = Sampled.stopped(process, levels, 0.02)
    score = mfg.ExactScore(process, law)
    trial = partial(certify_by_sampling, process, score, 5, data=data, stop=0.02, trajectories=256)
    whole, made = trial(), []
    part = kept.Kept.part

    def counted(self, name, make, **options):
        def making():
            if len(made) == wrong:
                raise Killed
            made.append(name)
            return make()

        return part(self, name, making, **options)

    monkeypatch.setattr(kept.Kept, "part", counted)
    for last in range(1, 90, 3):
        wrong = last
        try:
            again = trial(checkpoint=place)
            break
        except Killed:
            assert place.exists()
    assert len(made) == len(set(made)) == 16 + 16 + 2 * 17 + 2
    assert not place.exists()
    assert again.measured == whole.measured
    assert again.rows == whole.rows
    assert again.facts["cost"]["score evaluations"] == whole.facts["cost"]["score evaluations"]


def test_trajectories_of_another_trial_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "PAUSE", 0.0)
    process, law, place = mfg.OrnsteinUhlenbeck(), mfg.gaussian(np.zeros(5), 0.3 * np.eye(5)), tmp_path / "state.npz"
    score = mfg.ExactScore(process, law)

    def killed(*given):
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(by_sampling, "_squares", killed)
        with pytest.raises(Killed):
            certify_by_sampling(process, score, 5, trajectories=64, checkpoint=place)
    with pytest.raises(ValueError, match=r"belongs to another problem, by its seed \(0.0 there, 1.0 here\)"):
        certify_by_sampling(process, score, 5, trajectories=64, seed=1, checkpoint=place)


@pytest.mark.parametrize("trouble", [RuntimeError("it fails"), OSError("no room")], ids=["fails", "no room"])
def test_what_failed_by_itself_leaves_nothing_behind(tmp_path, monkeypatch, trouble):
    """A trial that failed would fail again: nothing of it stands in the way of the next. One without room can go on."""
    monkeypatch.setattr(checkpoint, "PAUSE", 0.0)
    process, law, place = mfg.OrnsteinUhlenbeck(), mfg.gaussian(np.zeros(5), 0.3 * np.eye(5)), tmp_path / "state.npz"

    def failing(*given):
        raise trouble

    monkeypatch.setattr(by_sampling, "_squares", failing)
    with pytest.raises(type(trouble)):
        certify_by_sampling(process, mfg.ExactScore(process, law), 5, trajectories=64, checkpoint=place)
    assert place.exists() == isinstance(trouble, OSError)


def test_a_law_that_is_gone_is_refused_in_a_sentence(tmp_path, monkeypatch):
    """A flow that carries all corners so far that the prior is zero there, in double precision."""
    process, grid = mfg.VariancePreserving(), mfg.CartesianGrid.cube(3.0, 32, 1)

    def gone(*given, **options):
        law = mfg.induced_ode(*given, **options)
        return replace(law, density=replace(law.density, values=0 * law.density.values))

    monkeypatch.setattr(certificate, "induced_ode", gone)
    words = (
        r"the ODE .* leaves nothing in the box \[-3, 3\], so that there is nothing to judge: what was given has the w"
    )
    with pytest.raises(ValueError, match=words):
        certificate.certify(process, mfg.scores.Differenced(lambda x, t: x, 1), grid, checkpoint=tmp_path / "state.npz")
    assert not (tmp_path / "state.npz").exists()
