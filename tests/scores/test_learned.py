"""Scores from JAX, from files and by differences: exact derivatives of the exact score, weights that survive, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.scores.files import save_weights

OU = mfg.OrnsteinUhlenbeck()
BLOBS = mfg.densities.four_blobs()
EXACT = mfg.ExactScore(OU, BLOBS)


def log_density(x, t):
    """Log p_t of the four blobs under the Ornstein–Uhlenbeck process, written in JAX."""
    means = jnp.asarray(BLOBS.means) * jnp.exp(-t)
    covariances = jnp.asarray(np.array(BLOBS.covariances)) * jnp.exp(-2 * t) + 0.5 * (1 - jnp.exp(-2 * t)) * jnp.eye(2)
    y = x - means
    quadratic = jnp.einsum("ki,kij,kj->k", y, jnp.linalg.inv(covariances), y)
    logs = jnp.log(jnp.asarray(BLOBS.weights)) - 0.5 * (quadratic + jnp.linalg.slogdet(2 * jnp.pi * covariances)[1])
    return jax.scipy.special.logsumexp(logs)


def points(rng, n=200):
    return rng.uniform(-2.5, 2.5, (n, 2))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["potential", "vector"])
def test_jax_derivatives_of_the_exact_score_are_exact(kind, rng):
    score = mfg.JaxScore(log_density if kind == "potential" else jax.grad(log_density), 2)
    x, t = points(rng), 0.3
    np.testing.assert_allclose(score(x, t), EXACT(x, t), atol=1e-11)
    np.testing.assert_allclose(score.divergence(x, t), EXACT.divergence(x, t), atol=1e-10)
    np.testing.assert_allclose(np.trace(score.jacobian(x, t), axis1=1, axis2=2), EXACT.divergence(x, t), atol=1e-10)
    assert np.abs(mfg.score_residual(OU, score, x, t)).max() < 1e-8
    assert np.abs(mfg.diagnostics.rotation(score, x, t)).max() < 1e-11
    if kind == "potential":
        np.testing.assert_allclose(score.potential(x, t), EXACT.potential(x, t), atol=1e-11)
        np.testing.assert_allclose(
            score.potential_time_derivative(x, t), EXACT.potential_time_derivative(x, t), atol=1e-9
        )
        assert np.abs(mfg.log_density_residual(OU, score, x, t)).max() < 1e-9
        np.testing.assert_allclose(score.pieces(x, t)[3], EXACT.divergence(x, t), atol=1e-10)
    else:
        assert not isinstance(score, mfg.scores.PotentialScore)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["potential", "vector", "differences"])
def test_products_with_directions_are_those_of_the_full_jacobian(kind, rng):
    def twisted(x, t):
        return jax.grad(log_density)(x, t) + 0.3 * jnp.stack((-x[1], x[0] ** 2))

    full = mfg.JaxScore(log_density if kind == "potential" else twisted, 2)
    score = mfg.scores.Differenced(full, 2) if kind == "differences" else full
    x, v, t = points(rng, 50), rng.standard_normal((50, 2)), 0.3
    pushed, pulled, slope = score.directional_derivatives(x, t, v)
    J = full.jacobian(x, t)
    tolerance = 1e-11 if kind != "differences" else 2e-5
    np.testing.assert_allclose(pushed, np.einsum("nij,nj->ni", J, v), atol=tolerance)
    np.testing.assert_allclose(pulled, np.einsum("nij,ni->nj", J, v), atol=tolerance)
    stated = score.uncertainty["divergence gradient"] if kind == "differences" else 0.0
    unit = [score.directional_derivatives(x, t, np.broadcast_to(e, x.shape))[2] for e in np.eye(2)]
    np.testing.assert_allclose(sum(unit), full.divergence_gradient(x, t), atol=1e-9 + stated)
    ahead, back = (np.einsum("ni,nij,nj->n", v, full.jacobian(x + h * np.eye(2)[0], t), v) for h in (1e-4, -1e-4))
    np.testing.assert_allclose(slope[:, 0], (ahead - back) / 2e-4, rtol=1e-4, atol=1e-3)


@pytest.mark.slow
def test_blocks_and_shapes_do_not_matter(rng):
    score = mfg.JaxScore(log_density, 2)
    x = points(rng, 9000)
    whole = score(x, 0.5)
    np.testing.assert_array_equal(score(x[:7].reshape(7, 1, 2), 0.5)[:, 0], score(x[:7], 0.5))
    np.testing.assert_allclose(whole[8990:], score(x[8990:], 0.5), atol=1e-13)
    assert score.jacobian(x[:6].reshape(2, 3, 2), 0.5).shape == (2, 3, 2, 2)


def test_differences_come_with_what_they_are_off_by(rng):
    score = mfg.scores.Differenced(EXACT, 2)
    x, t = points(rng), 0.3
    exact = mfg.JaxScore(log_density, 2)
    for name in ("jacobian", "time_derivative", "divergence_gradient"):
        gap = np.abs(getattr(score, name)(x, t) - getattr(exact, name)(x, t)).max()
        stated = score.uncertainty[name.replace("_", " ")]
        assert gap <= stated + 1e-8, name
        assert stated < 0.1


def test_rates_at_both_ends_of_time_stay_inside():
    score = mfg.scores.Differenced(lambda x, t: np.sqrt(1 - t * (1 - t)) * x, 1, start=0.0, end=1.0)
    x = np.ones((1, 1))
    for t in (0.0, 0.001, 0.5, 0.999, 1.0):
        rate = (2 * t - 1) / (2 * np.sqrt(1 - t * (1 - t)))
        assert score.time_derivative(x, t)[0, 0] == pytest.approx(rate, abs=1e-9)


def test_a_wrong_equation_has_a_residual(rng):
    score = mfg.JaxScore(log_density, 2)
    other = mfg.OrnsteinUhlenbeck(rate=1.1)
    assert np.abs(mfg.score_residual(other, score, points(rng), 0.3)).max() > 0.1
    swirl = mfg.JaxScore(lambda x, t: jax.grad(log_density)(x, t) + 0.3 * jnp.stack((-x[1], x[0])), 2)
    np.testing.assert_allclose(mfg.diagnostics.rotation(swirl, points(rng), 0.3), 0.3 * np.sqrt(2), atol=1e-10)


def weights(rng, outputs, inputs=3, width=8):
    sizes = [inputs, width, width, outputs]
    return [(rng.normal(size=(b, a)) / np.sqrt(a), rng.normal(size=b)) for a, b in zip(sizes, sizes[1:], strict=False)]


@pytest.mark.parametrize("activation", ["softplus", "tanh", "silu", "gelu", "relu", "sin"])
def test_saved_networks_come_back(activation, rng, tmp_path):
    layers = weights(rng, 1)
    network = mfg.scores.Network(activation, 2.0, "tx", "potential")
    path = save_weights(tmp_path / "net.safetensors", layers, network)
    x = points(rng, 5)
    found = mfg.load_score(str(path))
    arrays = {
        f"{kind}{k}": a.astype(np.float32)
        for k, layer in enumerate(layers)
        for kind, a in zip("Wb", layer, strict=True)
    }
    np.savez(tmp_path / "net.npz", **arrays)
    again = mfg.load_score(str(tmp_path / "net.npz"), 2, network)
    np.testing.assert_array_equal(found(x, 0.4), again(x, 0.4))
    if activation == "tanh":
        h = np.column_stack((np.full(5, 0.4), x))
        for k, (W, b) in enumerate(layers):
            h = h @ W.astype(np.float32).T.astype(float) + b.astype(np.float32)
            h = np.tanh(h) if k < 2 else h
        np.testing.assert_allclose(found.potential(x, 0.4), h[:, 0], atol=1e-12)


SOURCES = """
import equinox as eqx, jax, jax.numpy as jnp, numpy as np
def good(x, t): return np.negative(x) / (1 + t)
def point(x, t): return -x / (1 + t)
def bowl(x, t): return -0.5 * jnp.sum(x**2) / (1 + t)
jitted = jax.jit(bowl)
def wrong_shape(x, t): return x[:, 0]
def wrong_kind(x, t): return x.astype(complex)
def bad(x, t): return np.where(x > 0, np.nan, x)
def no_arguments(): return 1
class Net(eqx.Module):
    scale: float = 2.0
    def __call__(self, x, t): return -self.scale * x * jnp.exp(-t)
net = Net()
number = 3
"""


def test_names_in_files_become_scores(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCES)
    x = np.array([[1.0, -2.0]])
    assert isinstance(mfg.load_score(f"{path}:good", 2), mfg.scores.Differenced)
    np.testing.assert_allclose(mfg.load_score(f"{path}:good", 2).divergence(x, 1.0), -1.0, atol=1e-9)
    net = mfg.load_score(f"{path}:net", 2)
    assert isinstance(net, mfg.JaxScore)
    np.testing.assert_allclose(net.divergence(x, 0.0), -4.0, atol=1e-12)
    for name, potential in (("point", False), ("bowl", True), ("jitted", True)):
        score = mfg.load_score(f"{path}:{name}", 2)
        assert isinstance(score, mfg.JaxScore)
        assert isinstance(score, mfg.scores.PotentialScore) is potential
        np.testing.assert_allclose(score(x, 1.0), -0.5 * x, atol=1e-15)
        np.testing.assert_allclose(score.divergence(x, 1.0), -1.0, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong_shape", r"must return shape \(n, 2\)"),
        ("wrong_kind", "must return real numbers"),
        ("bad", "returned nan"),
        ("no_arguments", "cannot be called"),
        ("number", "cannot be called"),
        ("absent", "it has"),
    ],
)
def test_bad_functions_are_refused(name, message, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCES)
    with pytest.raises(ValueError, match=message):
        mfg.load_score(f"{path}:{name}", 2)


def test_bad_files_are_refused(tmp_path, rng):
    (tmp_path / "x.pt").write_bytes(b"anything")
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, W0=np.array([{"a": 1}], dtype=object))
    short = save_weights(tmp_path / "s.safetensors", weights(rng, 2), mfg.scores.Network())
    short.write_bytes(short.read_bytes()[:-40])
    gap = tmp_path / "gap.npz"
    np.savez(gap, W0=np.ones((4, 3)), b0=np.ones(4), W1=np.ones((2, 5)), b1=np.ones(2))
    nan = tmp_path / "nan.npz"
    np.savez(nan, W0=np.full((2, 3), np.nan), b0=np.ones(2))
    for source, message in (
        (tmp_path / "x.pt", "is a pickle"),
        (pickled, "pickled or truncated"),
        (short, "pickled or truncated"),
        (gap, "W1 takes 5 inputs, the layer before it has width 4"),
        (nan, "not finite"),
        (tmp_path / "none.npz", "no file"),
        ("plain", "a score is a file of weights"),
        ("nowhere.module:f", "cannot import"),
        (tmp_path / "none.py", "a score is a file"),
    ):
        with pytest.raises(ValueError, match=message):
            mfg.load_score(str(source), 2)
    whole = save_weights(tmp_path / "w.safetensors", weights(rng, 2), mfg.scores.Network())
    with pytest.raises(ValueError, match=r"takes points of dimension 2, but the data .* are 3-dimensional"):
        mfg.load_score(str(whole), 3)
    with pytest.raises(ValueError, match="no potential in dimension 2"):
        mfg.load_score(str(whole), 2, mfg.scores.Network(output="potential"))
    with pytest.raises(ValueError, match="activation must be one of"):
        mfg.scores.Network("elu")
    with pytest.raises(ValueError, match="scalar potential or a vector"):
        mfg.JaxScore(lambda x, t: jnp.ones(3), 2)


def test_pytorch_modules_agree_with_jax(rng, torch):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = torch.nn.Linear(3, 6)
            self.b = torch.nn.Linear(6, 2)

        def forward(self, x, t):
            return self.b(torch.tanh(self.a(torch.cat((x, t), dim=1))))

    module = Net()
    layers = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in (module.a, module.b)]
    arrays = {f"{kind}{k}": a for k, layer in enumerate(layers) for kind, a in zip("Wb", layer, strict=True)}
    from mfgpde.scores.files import network_score

    score, other = mfg.TorchScore(module, 2), network_score(arrays, mfg.scores.Network("tanh"))
    x = points(rng, 11)
    for name in ("__call__", "divergence", "jacobian", "time_derivative", "divergence_gradient"):
        np.testing.assert_allclose(getattr(score, name)(x, 0.3), getattr(other, name)(x, 0.3), atol=1e-10, err_msg=name)
    v = rng.standard_normal(x.shape)
    for a, b in zip(score.directional_derivatives(x, 0.3, v), other.directional_derivatives(x, 0.3, v), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)

    class Bowl(torch.nn.Module):
        def forward(self, x, t):
            return -0.5 * (x**2).sum(dim=1, keepdim=True) / (1 + t)

    bowl = mfg.TorchScore(Bowl(), 2)
    assert isinstance(bowl, mfg.scores.PotentialScore)
    np.testing.assert_allclose(bowl(x, 1.0), -0.5 * x, atol=1e-14)
    np.testing.assert_allclose(bowl.potential_time_derivative(x, 1.0), np.sum(x**2, axis=1) / 8, atol=1e-14)

    class Wide(torch.nn.Module):
        def forward(self, x, t):
            return torch.cat((x, x), dim=1)

    with pytest.raises(ValueError, match=r"must return \(n, 2\)"):
        mfg.TorchScore(Wide(), 2)


def test_loading_leaves_no_trace_of_precision(rng):
    """Double precision is used inside and not switched on for the caller."""
    score = mfg.JaxScore(log_density, 2)
    assert score(points(rng, 3), 0.5).dtype == np.float64
    assert jnp.ones(2).dtype == jnp.float32


def test_blocks_that_are_evaluated_side_by_side_come_back_in_order(rng):
    score, x = mfg.JaxScore(log_density, 2), rng.normal(size=(9001, 2))  # three blocks, the last one padded
    whole = score.divergence(x, 0.3)
    assert np.allclose(
        whole, np.concatenate([score.divergence(part, 0.3) for part in np.array_split(x, 9)]), rtol=1e-12
    )
