"""Diffusions and reversible generators against Itô's calculus, invariances and Lyapunov's equation, at random."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

import mfgpde as mfg
from mfgpde.processes import Diffusion, MarkovGenerator

SEEDS = st.integers(0, 2**32 - 1)
FLAT, PLACES = 1e-7, (5, 3)
"""roundings of central differences of quadratics over 1e-4 of the largest coordinate"""


def affine(rng, *shape, d):
    """Return x ↦ a + b·x of a shape with its constant slopes, the axis of the derivative last."""
    a, b = rng.normal(size=shape), 0.4 * rng.normal(size=(*shape, d))
    return (lambda x, t: a + np.einsum("...j,...kj->...k", x, b.reshape(-1, d)).reshape(*x.shape[:-1], *shape)), b


@given(SEEDS, st.integers(1, 3), st.integers(1, 3))
def test_induced_drifts_are_those_of_the_calculus(seed, d, m):
    """σ affine: Stratonovich's drift ½Σ_jk σ_jk ∂_jσ_ik, ∇·D and D = ½σσᵀ by the product rule; Fickian is Itô less ∇·D."""
    rng = np.random.default_rng(seed)
    noise, slopes = affine(rng, d, m, d=d)  # slopes[i, k, j] = ∂_jσ_ik
    drift, _ = affine(rng, d, d=d)
    x = rng.normal(size=(*PLACES, d))
    sigma = noise(x, 0.0)
    D = 0.5 * np.einsum("...ik,...jk->...ij", sigma, sigma)
    spread = 0.5 * np.einsum("ikj,...jk->...i", slopes, sigma) + 0.5 * np.einsum("...ik,jkj->...i", sigma, slopes)
    own = {
        "ito": 0 * x,
        "stratonovich": 0.5 * np.einsum("...jk,ikj->...i", sigma, slopes),
        "haenggi-klimontovich": spread,
    }
    for meaning, induced in own.items():
        process = Diffusion(drift, noise=noise, meaning=meaning)
        np.testing.assert_allclose(process.diffusion_tensor(x, 0.0), D, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(process.tensor_divergence(x, 0.0), spread, rtol=FLAT, atol=FLAT)
        np.testing.assert_allclose(process.induced_drift(x, 0.0), induced, rtol=FLAT, atol=FLAT)
        np.testing.assert_allclose(process.ito_drift(x, 0.0), drift(x, 0.0) + induced, rtol=FLAT, atol=FLAT)
        found = process.fickian_drift(x, 0.0, np.full(d, 0.1))  # whatever the widths: D is quadratic
        np.testing.assert_allclose(found, drift(x, 0.0) + induced - spread, rtol=FLAT, atol=FLAT)


@given(SEEDS, st.floats(0.3, 2.0))
def test_stratonovich_keeps_the_chain_rule_and_ito_has_its_own(seed, bend):
    """Y = h(x) of dx = f dt + σ∘dW has h′f and h′σ; in Itô's sense the drifts differ by ½σ²h″: both must agree."""
    a, b, c = np.random.default_rng(seed).uniform(0.5, 1.5, 3)
    x = np.linspace(-1.0, 1.0, 7)[:, None]
    sigma, slope, second = c + 0.3 * x, 1 + bend * x**2, 2 * bend * x  # h = x + bend x³/3

    def back(y):
        """Solve h(x) = y: Cardano, one real root."""
        p, q = 3 / bend, 3 * y / bend
        root = np.sqrt(q**2 / 4 + p**3 / 27)
        return np.cbrt(q / 2 + root) + np.cbrt(q / 2 - root)

    here = Diffusion(lambda x, t: a - b * x, noise=lambda x, t: (c + 0.3 * x)[..., None], meaning="stratonovich")
    there = Diffusion(
        lambda y, t: (1 + bend * back(y) ** 2) * (a - b * back(y)),
        noise=lambda y, t: ((1 + bend * back(y) ** 2) * (c + 0.3 * back(y)))[..., None],
        meaning="stratonovich",
    )
    y = x + bend * x**3 / 3
    wanted = slope * here.ito_drift(x, 0.0) + 0.5 * sigma**2 * second
    np.testing.assert_allclose(there.ito_drift(y, 0.0), wanted, rtol=1e-5, atol=1e-5)  # differences of a curved noise


@given(SEEDS, st.integers(1, 3))
def test_a_tensor_may_be_given_in_any_shape(seed, d):
    rng = np.random.default_rng(seed)
    size, x = rng.uniform(0.5, 2.0), rng.normal(size=(*PLACES, d))
    ways = [
        lambda x, t: size,
        lambda x, t: np.full(x.shape[:-1], size),
        lambda x, t: np.full(x.shape, size),
        lambda x, t: np.broadcast_to(size * np.eye(d), (*x.shape, d)),
    ]
    for tensor in ways:
        found = Diffusion(lambda x, t: -x, tensor).diffusion_tensor(x, 0.0)
        np.testing.assert_allclose(found, np.broadcast_to(size * np.eye(d), (*PLACES, d, d)), rtol=1e-15)
    noise = Diffusion(lambda x, t: -x, noise=lambda x, t: np.broadcast_to(np.sqrt(2 * size) * np.eye(d), (*x.shape, d)))
    np.testing.assert_allclose(noise.diffusion_tensor(x, 0.0), found, rtol=1e-14, atol=1e-15)


def symmetric(rng, d):
    root = rng.normal(size=(d, d))
    return root @ root.T + 0.3 * np.eye(d)


@given(SEEDS, st.integers(1, 3))
def test_a_reversible_generator_has_no_flux_in_its_law(seed, d):
    """With π ∝ e^{−V}, g π − A∇π = 0 where g is the Fickian drift: g = −A∇V, for A that depends on the place."""
    rng = np.random.default_rng(seed)
    S, A = symmetric(rng, d), symmetric(rng, d)

    def wave(x):
        return (1.5 + np.sin(x[..., 0]))[..., None, None] * A

    L = MarkovGenerator(lambda x: 0.5 * np.einsum("ni,ij,nj->n", x, S, x), lambda x: x @ S, wave)
    process, x = Diffusion.of(L), rng.normal(size=(*PLACES, d))
    np.testing.assert_allclose(process.diffusion_tensor(x, 0.0), wave(x), rtol=1e-13)
    np.testing.assert_allclose(
        process.fickian_drift(x, 0.0), -np.einsum("...ij,...j->...i", wave(x), x @ S), rtol=1e-12
    )
    slope = np.cos(x[..., 0])[..., None] * A[:, 0]  # Σ_j ∂_jA_ij
    widths = np.full(d, 1e-4)
    np.testing.assert_allclose(process.ito_drift(x, 0.0, widths), process.drift(x, 0.0) + slope, rtol=FLAT, atol=FLAT)


def drift_matrix(process, d):
    return np.asarray(process.drift(np.eye(d), 0.0) - process.drift(np.zeros((d, d)), 0.0)).T


def stays(process, *variances):
    """Say by how much of its terms N(0, S) fails Lyapunov's equation AS + SAᵀ + 2D = 0."""
    d = len(variances)
    terms = drift_matrix(process, d) @ np.diag(variances)
    whole = terms + terms.T + 2 * process.diffusion_tensor(np.zeros((1, d)), 0.0)[0]
    return np.abs(whole).max() / np.abs(terms).max()


@given(*[st.floats(0.2, 4.0)] * 4, st.integers(1, 2))
def test_damped_motion_stays_in_its_law(stiffness, friction, temperature, mass, d):
    """In a harmonic well e^{−(½k|x|² + ½M|v|²)/T} stays; so it does for critically damped noising, N(0, I)⊗N(0, MI)."""
    law = np.repeat([temperature / stiffness, temperature / mass], d)
    assert stays(Diffusion.underdamped(lambda x: stiffness * x, friction, temperature, mass), *law) < 1e-12
    line = mfg.processes.underdamped(stiffness, friction, temperature)
    assert stays(line, temperature / stiffness, temperature) < 1e-12
    noising = mfg.processes.critically_damped(friction, mass, d)
    assert stays(noising, *np.repeat([1.0, mass], d)) < 1e-12
    matrix = drift_matrix(noising, 2 * d)
    both = matrix + friction / np.sqrt(mass) * np.eye(2 * d)  # one eigenvalue −β/√M, twice: nilpotent of order two
    assert np.abs(both @ both).max() < 1e-12 * np.abs(matrix).max() ** 2
    assert np.abs(both).max() > 0.1 * np.abs(matrix).max()


@given(SEEDS, st.integers(1, 3), st.integers(1, 3), st.floats(0.3, 2.0))
def test_transitions_with_noise_by_direction_are_van_loans(seed, d, m, time):
    """Exp [[−A, ggᵀ], [0, Aᵀ]] t holds factor and covariance of a constant linear process (Van Loan 1978, theorem 1)."""
    rng = np.random.default_rng(seed)
    A, g = rng.normal(size=(d, d)), rng.normal(size=(d, m))
    process = mfg.Linear(A, g, horizon=2.0)
    block = expm(time * np.block([[-A, g @ g.T], [np.zeros((d, d)), A.T]]))
    factor = block[d:, d:].T
    law, covariance = process.transition(0.0, time), factor @ block[:d, d:]
    np.testing.assert_allclose(law.factor, factor, rtol=1e-9, atol=1e-9 * np.abs(factor).max())
    np.testing.assert_allclose(law.covariance, covariance, rtol=1e-9, atol=1e-9 * np.abs(covariance).max())
    x, times = rng.normal(size=(*PLACES, d)), rng.uniform(0.5, 2.0, PLACES)
    tensor = np.broadcast_to(0.5 * g @ g.T, (*PLACES, d, d))
    np.testing.assert_allclose(process.diffusion_tensor(x, 0.3), tensor, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(process.diffusion_tensor(x, times), tensor, rtol=1e-13, atol=1e-14)
    grown = tensor * (times**2)[..., None, None]
    np.testing.assert_allclose(mfg.Linear(A, lambda t: t * g).diffusion_tensor(x, times), grown, rtol=1e-13, atol=1e-14)
    own = (times**2)[..., None, None] * np.diag(0.5 * g[:, 0] ** 2)
    np.testing.assert_allclose(mfg.Linear(A, lambda t: t * g[:, 0]).diffusion_tensor(x, times), own, rtol=1e-13)


@given(SEEDS, st.integers(2, 3), st.floats(0.2, 2.0))
def test_adapted_tensors_are_the_covariances_in_their_windows(seed, d, width):
    """The covariance of samples weighted by their window and of N(x, h²I) with weight one, term by term; det A = 1.

    Turned, moved and rescaled samples have the tensor turned; far from all of them it is the identity.
    """
    rng = np.random.default_rng(seed)
    samples, x = rng.normal(size=(30, d)) * np.arange(1, d + 1) + 3.0, rng.normal(size=(4, d)) + 3.0
    found = MarkovGenerator.adapted(samples, width).diffusion_tensor(x)
    for place, tensor in zip(x, found, strict=True):
        weights = [np.exp(-0.5 * np.sum((one - place) ** 2) / width**2) for one in samples] + [1.0]
        centres, total = [*samples, place], sum(weights)
        mean = sum(w * c for w, c in zip(weights, centres, strict=True)) / total
        spread = sum(w * np.outer(c - mean, c - mean) for w, c in zip(weights, centres, strict=True))
        spread = (spread + width**2 * np.eye(d)) / total
        np.testing.assert_allclose(tensor, spread / np.linalg.det(spread) ** (1 / d), rtol=1e-9, atol=1e-9)
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    moved = MarkovGenerator.adapted(7.0 * samples @ turn.T - 40.0, 7.0 * width).diffusion_tensor(
        7.0 * x @ turn.T - 40.0
    )
    np.testing.assert_allclose(moved, turn @ found @ turn.T, rtol=1e-8, atol=1e-8)
    far = MarkovGenerator.adapted(samples, width).diffusion_tensor(x + 1e3)
    np.testing.assert_allclose(far, np.broadcast_to(np.eye(d), far.shape), atol=1e-12)


def test_a_generator_that_is_none_is_refused():
    shear = MarkovGenerator(tensor=lambda x: np.broadcast_to([[1.0, 1e-6], [0.0, 1.0]], (len(x), 2, 2)))
    with pytest.raises(ValueError, match="not symmetric"):
        shear.diffusion_tensor(np.zeros((3, 2)))
    rounded = MarkovGenerator(
        tensor=lambda x: np.broadcast_to(1e-9 * np.array([[1.0, 1e-14], [0.0, 1.0]]), (len(x), 2, 2))
    )
    assert rounded.diffusion_tensor(np.zeros((3, 2))).shape == (3, 2, 2)
    flat = MarkovGenerator(tensor=lambda x: np.broadcast_to(np.diag([1.0, 0.0]), (len(x), 2, 2)))
    with pytest.raises(ValueError, match="must be positive"):
        flat.diffusion_tensor(np.zeros((3, 2)))
