"""Modules of real PyTorch, called as their authors meant; what libraries' own classes predict is a score."""

import functools
import warnings

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.scores import Predicted, converted
from mfgpde.scores.adapters import adapted

P = mfg.processes
X = np.random.default_rng(0).normal(size=(4, 2))


@pytest.fixture
def modules(torch):
    """Return classes of modules with the same weights that differ in how they are called."""
    torch.manual_seed(0)
    inner = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))

    class Base(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def value(self, x, t):
            return self.inner(torch.cat((x, t), dim=1))

    class Column(Base):
        def forward(self, x, t):
            return self.value(x, t)

    class Row(Base):
        def forward(self, x, t):
            return self.value(x, t[:, None])

    class Number(Base):
        def forward(self, x, t):
            assert t.ndim == 0
            return self.value(x, t * torch.ones_like(x[:, :1]))

    class TimeFirst(Base):
        def forward(self, t, x):
            return self.value(x, t[:, None])

    class Joined(Base):
        def forward(self, xt):
            return self.inner(xt)

    class Named(Base):
        def forward(self, x, t):
            return {"sample": self.value(x, t)}.values().__iter__().__next__(), None

    class Conditional(Base):
        def forward(self, x, t, label):
            return label * self.value(x, t[:, None])

    class Steps(Base):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(10, 1)

        def forward(self, x, t):
            return self.value(x, self.table(t))

    class Placed(Base):
        def forward(self, x, t):
            return self.value(x, t) + torch.zeros(2, device="cuda" if not torch.cuda.is_available() else "meta")

    class Mixing(Base):
        def forward(self, x, t):
            return self.value(x - x.mean(dim=0), t)

    return {cls.__name__: cls for cls in Base.__subclasses__()}


@pytest.mark.parametrize("name", ["Row", "Number", "TimeFirst", "Joined", "Named"])
def test_every_usual_call_is_found(modules, name):
    want = adapted(modules["Column"](), "column", 2)
    found = adapted(modules[name](), name, 2)
    assert np.array_equal(found(X, 0.3), want(X, 0.3))
    assert np.allclose(found.time_derivative(X, 0.3), want.time_derivative(X, 0.3), rtol=1e-12)
    assert found.module.words.startswith("called as")


def test_a_fixed_condition_is_a_model(modules):
    fixed = adapted(functools.partial(modules["Conditional"](), label=2.0), "fixed", 2)
    assert np.allclose(fixed(X, 0.3), 2 * adapted(modules["Row"](), "row", 2)(X, 0.3), rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Conditional", "fix the condition"),
        ("Steps", "whole steps of time"),
        ("Mixing", "mixes its batch"),
        ("Placed", "needs a device"),
    ],
)
def test_what_cannot_be_a_score_is_one_sentence(modules, name, words):
    with pytest.raises(ValueError, match=words):
        adapted(modules[name](), name, 2)


def test_weights_are_looked_at(torch, modules):
    with pytest.raises(ValueError, match="float16"):
        adapted(modules["Column"]().half(), "half", 2)
    broken = modules["Column"]().float()
    with torch.no_grad():
        broken.inner[0].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="1 of 24 weights"):
        adapted(broken, "broken", 2)


def test_the_velocity_of_flow_matching_is_the_negative_one_at_the_mirrored_time(torch):
    """N(1, ½) between flow_matching's own path and ours: dx/dt of its scheduler is what `Turned` integrates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # escapes in its docstrings
        path = pytest.importorskip("flow_matching.path").CondOTProbPath()
    c, m = 0.5, 1.0
    data, noise, time = torch.tensor([[2.0]]), torch.tensor([[-0.5]]), torch.tensor([0.3])
    sample = path.sample(x_0=noise, x_1=data, t=time)
    now = P.Straight().schedule(1 - 0.3)
    assert float(sample.x_t[0, 0]) == pytest.approx(float(now.alpha * 2.0 + now.sigma * -0.5), rel=1e-6)
    assert float(sample.dx_t[0, 0]) == pytest.approx(-float(now.alpha_rate * 2.0 + now.sigma_rate * -0.5), rel=1e-6)

    class Velocity(torch.nn.Module):
        def forward(self, x, t):
            s = 1 - t[:, None] if t.ndim == 1 else 1 - t
            v = (1 - s) ** 2 * c + s**2
            return m - (s - (1 - s) * c) / v * (x - (1 - s) * m)

    process = P.Straight()
    network = mfg.scores.Turned(adapted(Velocity(), "velocity", 1))
    score = Predicted(process, network, "flow", mfg.scores.Clock("reversed", process))
    exact, x = mfg.ExactScore(process, mfg.gaussian(m, c)), np.linspace(-1, 2, 7)[:, None]
    assert np.abs(score(x, 0.4) - exact(x, 0.4)).max() < 1e-12
    assert np.abs(mfg.score_residual(process, score, x, 0.4)).max() < 1e-9


def test_a_denoiser_of_azula_predicts_the_data(torch):
    azula = pytest.importorskip("azula.denoise")
    noise = pytest.importorskip("azula.noise")

    class Backbone(torch.nn.Module):
        def forward(self, x, t, **_):
            return torch.tanh(x) * (1 + t[..., None])

    schedule = noise.VPSchedule()
    denoiser = azula.SimpleDenoiser(Backbone(), schedule) if hasattr(azula, "SimpleDenoiser") else None
    if denoiser is None:
        denoiser = azula.KarrasDenoiser(Backbone(), schedule)
    found = adapted(denoiser, "denoiser", 2)
    t = torch.full((4,), 0.3, dtype=torch.float64)
    want = denoiser.double()(torch.as_tensor(X), t).mean.detach().numpy()
    assert np.allclose(found(X, 0.3), want, rtol=1e-12)


def test_the_own_networks_of_torchcfm_are_called(torch):
    models = pytest.importorskip("torchcfm.models")
    torch.manual_seed(0)
    network = models.MLP(dim=2, time_varying=True)
    found = adapted(network, "mlp", 2)
    joined = torch.cat((torch.as_tensor(X), torch.full((4, 1), 0.3, dtype=torch.float64)), dim=1)
    assert np.allclose(found(X, 0.3), network.double()(joined).detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("predicts", ["noise", "data", "v", "flow", "score"])
def test_predictions_through_torch_are_those_through_numpy(torch, predicts):
    """A Gaussian's exact prediction, as a module: the score's equation is solved to rounding, and the score is exact."""
    process, c = P.Trigonometric(), 0.3
    exact = mfg.ExactScore(process, mfg.gaussian(0.0, c, dimension=2))
    with pytest.MonkeyPatch.context():
        slopes = {}
        for t in (0.4, 0.6):
            now = process.schedule(t)
            one = np.ones((1, 2))
            slopes[t] = float(converted(exact(one, t), one, now, "score", predicts)[0, 0])

    class Net(torch.nn.Module):
        def forward(self, x, t):
            a, b = torch.cos(0.5 * torch.pi * t), torch.sin(0.5 * torch.pi * t)
            da, db = -0.5 * torch.pi * b, 0.5 * torch.pi * a
            s = -1 / (a**2 * c + b**2)
            noise, data = -b * s, (1 + b**2 * s) / a
            parts = {"noise": noise, "data": data, "v": a * noise - b * data, "score": s}
            return x * parts.get(predicts, da * data + db * noise)

    score = Predicted(process, adapted(Net(), predicts, 2), predicts)
    for t, slope in slopes.items():
        assert score.network(np.ones((1, 2)), t)[0, 0] == pytest.approx(slope, rel=1e-12)
        assert np.abs(score(X, t) - exact(X, t)).max() < 1e-12
        assert np.abs(mfg.score_residual(process, score, X, t)).max() < 1e-9


def test_points_go_together_and_are_what_they_are_alone(torch, monkeypatch):
    """An image network's derivatives along directions, in calls of any size, against its full Jacobian point by point."""
    torch.manual_seed(0)
    convolved = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1),
        torch.nn.GroupNorm(2, 4),
        torch.nn.SiLU(),
        torch.nn.Conv2d(4, 1, 3, padding=1),
    )

    class Images(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = convolved

        def forward(self, x, t):
            return self.inner(torch.cat((x, t[:, None, None, None] * torch.ones_like(x)), dim=1))

    score = adapted(Images(), "images", 9)
    x, v = (np.random.default_rng(k).normal(size=(7, 9)) for k in (1, 2))
    J = score.jacobian(x, 0.3)
    kept = score.together()
    for size in (kept, 3, 1):
        monkeypatch.setattr(type(score), "together", lambda self, there=False, size=size: size)
        pushed, pulled, slope = score.directional_derivatives(x, 0.3, v)
        assert np.allclose(pushed, np.einsum("nij,nj->ni", J, v), rtol=0, atol=1e-13)
        assert np.allclose(pulled, np.einsum("nij,ni->nj", J, v), rtol=0, atol=1e-13)
        h = 1e-4
        for k, e in enumerate(h * np.eye(9)):
            up, down = (np.einsum("ni,nij,nj->n", v, score.jacobian(y, 0.3), v) for y in (x + e, x - e))
            assert np.allclose(slope[:, k], (up - down) / (2 * h), rtol=0, atol=1e-6)
    # what is kept: both convolutions' and the normalisation's inputs and more, eight bytes a number
    assert 8 * (2 * 9 + 2 * 4 * 9) <= score.kept <= 8 * 20 * 9 * 4


def test_guidance_of_real_modules_is_that_of_their_scores(torch):
    """Two modules that predict the noise in N(m, ½ I) exactly, with and without a label: s + w(s_c − s) in closed form.

    At t > 0 it is a Gaussian's score too, but of a mean that moves along no process: its residual is not zero.
    """
    process, weight = P.VariancePreserving(), 2.5

    class Noise(torch.nn.Module):
        def forward(self, x, t, mean):
            t = t[:, None] if t.ndim == 1 else t
            alpha = torch.exp(-0.5 * (0.1 * t + 0.5 * 19.9 * t**2))
            variance = 1 - alpha**2
            return variance.sqrt() * (x - alpha * mean) / (0.5 * alpha**2 + variance)

    scores = [
        Predicted(process, adapted(functools.partial(Noise(), mean=mean), "noise", 2), "noise") for mean in (1.0, -0.3)
    ]
    guided, t = mfg.scores.guided(*scores, weight=weight), 0.4
    a, v = float(process.mean_coefficient(t)), float(process.variance(t))
    s, c = (-(X - a * mean) / (0.5 * a**2 + v) for mean in (-0.3, 1.0))
    np.testing.assert_allclose(guided(X, t), s + weight * (c - s), rtol=1e-10)
    wrong = scores[1](X, t) + weight * (
        scores[0](X, t) + scores[1](X, t)
    )  # the control: a sum in place of a difference
    assert np.abs(wrong - guided(X, t)).max() > 0.1
    both = [mfg.GaussianMixture([1.0], [[m, m]], 0.5) for m in (1.0, -0.3)]
    exact = mfg.scores.guided(*(mfg.ExactScore(process, law) for law in both), weight=weight)
    np.testing.assert_allclose(guided(X, t), exact(X, t), rtol=1e-10)
