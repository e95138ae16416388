"""Tensors D(x, t) in finite volumes: closed forms, orders from both sides, mass, positivity, meanings, refusals."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.stats import beta, ncx2, norm

import mfgpde as mfg
from mfgpde.equations import FeynmanKac, ForwardKolmogorov
from mfgpde.processes import Diffusion


def observed(distance, *spaces):
    errors = np.array([distance(space) for space in spaces])
    return errors, np.log2(errors[:-1] / errors[1:])


def distance(equation, start, end, truth, rtol=1e-7, **options):
    """Return the L1 distance of a solution to means over cells of a closed form, as a function of the space."""

    def measured(space):
        solution = mfg.solve(equation, space, start, (0.0, end), rtol=rtol, **options)
        law = solution.fields[-1].values
        assert law.min() >= 0
        assert abs(solution.conserved["mass"][-1] - solution.conserved["mass"][0]) < 1e-11
        return float(space.grid.integrate(np.abs(law - mfg.densities.cell_means(truth, space.grid))))

    return measured


def interval(lower, upper, cells, walls):
    return mfg.FiniteVolume(mfg.CartesianGrid((lower,), (upper,), (cells,)), walls=walls)


def lognormal(mean, variance):
    def density(x):
        y = np.maximum(x[..., 0], 1e-300)
        return norm.pdf(np.log(y), mean, np.sqrt(variance)) / y

    return density


@pytest.mark.parametrize(
    "meaning", ["ito", pytest.param("stratonovich", marks=pytest.mark.slow), "haenggi-klimontovich"]
)
def test_geometric_brownian_motion_is_lognormal_in_every_sense(meaning):
    mu, sigma, end = 0.2, 0.5, 0.5
    share = {"ito": 0.0, "stratonovich": 0.5, "haenggi-klimontovich": 1.0}[meaning]
    diffusion = Diffusion(lambda x, t: mu * x, lambda x, t: 0.5 * sigma**2 * x**2, meaning=meaning)
    before, rate = 0.04, mu + (share - 0.5) * sigma**2
    truth = lognormal(rate * end, before + sigma**2 * end)
    run = distance(ForwardKolmogorov(diffusion), lognormal(0.0, before), end, truth)
    errors, orders = observed(run, *(interval(0.0, 8.0, n, (("reflecting", "far"),)) for n in (160, 320, 640)))
    assert errors[-1] < 1e-3
    assert np.all(np.abs(orders - 2) < 0.2), orders


def test_the_wrong_sense_is_seen():
    mu, sigma, end = 0.2, 0.5, 0.5
    diffusion = Diffusion(lambda x, t: mu * x, lambda x, t: 0.5 * sigma**2 * x**2, meaning="stratonovich")
    ito = lognormal((mu - 0.5 * sigma**2) * end, 0.04 + sigma**2 * end)
    run = distance(ForwardKolmogorov(diffusion), lognormal(0.0, 0.04), end, ito)
    assert run(interval(0.0, 8.0, 320, (("reflecting", "far"),))) > 0.1


def cir(x0, t, rate=1.0, level=1.0, noise=0.5):
    """Return the density of a Cox–Ingersoll–Ross process started at x0: noncentral χ²."""
    scale = noise**2 * -np.expm1(-rate * t) / (4 * rate)
    return lambda x: ncx2.pdf(x[..., 0] / scale, 4 * rate * level / noise**2, x0 * np.exp(-rate * t) / scale) / scale


def test_cox_ingersoll_ross_is_noncentral_chi_squared():
    diffusion = Diffusion(lambda x, t: 1.0 - x, lambda x, t: 0.125 * x)
    run = distance(ForwardKolmogorov(diffusion), cir(1.5, 0.3), 0.7, cir(1.5, 1.0))
    errors, orders = observed(run, *(interval(0.0, 5.0, n, (("reflecting", "far"),)) for n in (80, 160, 320)))
    assert np.all(np.abs(orders - 2) < 0.2), orders
    assert errors[-1] < 5e-4


def test_cox_ingersoll_ross_that_reaches_zero_loses_no_mass_and_no_order():
    """2κθ/σ² = 1: the origin is reached, the density finite there and not zero."""
    diffusion = Diffusion(lambda x, t: 1.0 - x, lambda x, t: x)
    run = distance(ForwardKolmogorov(diffusion), cir(1.0, 0.5, noise=2**0.5), 0.5, cir(1.0, 1.0, noise=2**0.5))
    errors, orders = observed(run, *(interval(0.0, 20.0, n, (("reflecting", "far"),)) for n in (160, 320, 640)))
    assert np.all(np.abs(orders - 2) < 0.3), orders
    assert errors[-1] < 2e-3


def test_a_pearson_diffusion_has_its_moments_and_its_stationary_law():
    """Jacobi: dX = θ(m − X)dt + √(2θa X(1 − X))dW, stationary law β(m/a, (1 − m)/a)."""
    theta, m, a = 1.0, 0.4, 0.2
    diffusion = Diffusion(lambda x, t: theta * (m - x), lambda x, t: theta * a * x * (1 - x))
    law = beta(m / a, (1 - m) / a)
    run = distance(
        ForwardKolmogorov(diffusion), lambda x: beta(6, 6).pdf(x[..., 0]), 12.0, lambda x: law.pdf(x[..., 0])
    )
    _, orders = observed(run, *(interval(0.0, 1.0, n, "reflecting") for n in (20, 40, 80)))
    assert np.all(np.abs(orders - 2) < 0.3), orders
    start = mfg.solve(
        ForwardKolmogorov(diffusion),
        interval(0.0, 1.0, 80, "reflecting"),
        lambda x: beta(6, 6).pdf(x[..., 0]),
        (0.0, 1.0),
    )
    assert start.at(1.0).expectation(lambda x: x[..., 0]) == pytest.approx(
        m + 0.1 * np.exp(-theta), abs=1e-4
    )  # h² = 1.6e-4


A, S = np.array([[-1.0, 0.5], [-0.3, -0.8]]), np.array([[0.6, 0.35], [0.35, 0.3]])


def correlated(end):
    F, P = expm(A * end), solve_continuous_lyapunov(A, -2 * S)
    return mfg.gaussian(F @ np.array([1.0, -0.5]), F @ (0.25 * np.eye(2) - P) @ F.T + P)


def test_ornstein_uhlenbeck_with_correlated_noise_is_gaussian():
    diffusion = Diffusion(lambda x, t: x @ A.T, lambda x, t: np.broadcast_to(S, (*x.shape, 2)))
    run = distance(ForwardKolmogorov(diffusion), correlated(0.0), 0.7, correlated(0.7).density)
    errors, orders = observed(run, *(mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, n, 2)) for n in (48, 96, 192)))
    assert np.all(np.abs(orders - 2) < 0.2), orders
    assert errors[-1] < 4e-3


def test_the_same_by_its_noise_and_in_other_units():
    sigma, L, T = np.linalg.cholesky(2 * S), 1e-9, 1e6
    plain = Diffusion(lambda x, t: x @ A.T, noise=lambda x, t: np.broadcast_to(sigma, (*x.shape, 2)))
    small = Diffusion(lambda x, t: x @ A.T / T, lambda x, t: np.broadcast_to(S * L**2 / T, (*x.shape, 2)))
    laws = []
    for diffusion, length, time in ((plain, 1.0, 1.0), (small, L, T)):
        start = mfg.gaussian(np.array([1.0, -0.5]) * length, 0.25 * length**2 * np.eye(2))
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0 * length, 48, 2))
        laws.append(
            mfg.solve(ForwardKolmogorov(diffusion), space, start, (0.0, 0.7 * time)).fields[-1].values * length**2
        )
    assert np.abs(laws[0] - laws[1]).max() < 1e-9 * laws[0].max()


@pytest.mark.slow
def test_a_tensor_that_turns_with_the_place_is_the_heat_flow_in_other_coordinates():
    """Coordinates y = (x₁, x₂ + sin x₁) carry an anisotropic heat flow to a tensor that turns, with drift ∂²y : D."""
    D0 = np.diag([0.5, 0.1])

    def jacobian(y):
        J = np.zeros((*y.shape, 2))
        J[..., 0, 0] = J[..., 1, 1] = 1.0
        J[..., 1, 0] = np.cos(y[..., 0])
        return J

    def tensor(y, t):
        J = jacobian(y)
        return J @ D0 @ np.swapaxes(J, -1, -2)

    def drift(y, t):
        return np.stack((0 * y[..., 0], -D0[0, 0] * np.sin(y[..., 0])), axis=-1)

    def law(t):
        flat = mfg.gaussian(np.zeros(2), 0.2 * np.eye(2) + 2 * t * D0)
        return lambda y: flat.density(np.stack((y[..., 0], y[..., 1] - np.sin(y[..., 0])), axis=-1))

    run = distance(ForwardKolmogorov(Diffusion(drift, tensor)), law(0.0), 0.5, law(0.5))
    errors, orders = observed(run, *(mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, n, 2)) for n in (64, 128, 256)))
    assert np.all(np.abs(orders - 2) < 0.25), orders
    assert errors[-1] < 3e-3


@pytest.mark.slow
def test_a_full_tensor_in_three_dimensions():
    S3 = np.array([[0.5, 0.2, -0.1], [0.2, 0.4, 0.15], [-0.1, 0.15, 0.3]])
    diffusion = Diffusion(lambda x, t: -x, lambda x, t: np.broadcast_to(S3, (*x.shape, 3)))
    after = np.exp(-0.6) * 0.4 * np.eye(3) + S3 * -np.expm1(-0.6)
    run = distance(
        ForwardKolmogorov(diffusion),
        mfg.gaussian(np.zeros(3), 0.4 * np.eye(3)),
        0.3,
        mfg.gaussian(np.zeros(3), after).density,
        1e-5,
    )
    errors, orders = observed(run, *(mfg.FiniteVolume(mfg.CartesianGrid.cube(4.5, n, 3)) for n in (20, 40)))
    assert np.all(np.abs(orders - 2) < 0.25), (errors, orders)


@pytest.mark.slow
def test_noise_that_changes_in_time():
    """D(t) = (1 + t)S: the covariance is known; rates are averaged over a step."""
    diffusion = Diffusion(
        lambda x, t: 0 * x, lambda x, t: np.broadcast_to((1 + np.sin(5 * t)) * S, (*x.shape, 2)), time_dependent=True
    )
    grown = 2 * S * (1.0 + (1 - np.cos(5.0)) / 5)
    truth = mfg.gaussian(np.zeros(2), 0.25 * np.eye(2) + grown)
    run = distance(ForwardKolmogorov(diffusion), mfg.gaussian(np.zeros(2), 0.25 * np.eye(2)), 1.0, truth.density, 1e-4)
    _, orders = observed(run, *(mfg.FiniteVolume(mfg.CartesianGrid.cube(8.0, n, 2)) for n in (48, 96)))
    assert np.all(np.abs(orders - 2) < 0.25), orders


def test_forward_and_backward_are_transposes(rng):
    diffusion = Diffusion(
        lambda x, t: np.stack((np.sin(x[..., 1]), -x[..., 1]), -1),
        lambda x, t: np.stack((1 + 0.5 * np.cos(x[..., 0]), 0.3 + 0 * x[..., 0]), -1),
    )
    grid = mfg.CartesianGrid((-3.0, -2.0), (3.0, 2.0), (18, 14), (True, False))
    space = mfg.FiniteVolume(grid, walls=(("periodic", "periodic"), ("absorbing", "reflecting")))
    A, B = (space.semidiscretise(kind(diffusion, killing=lambda x, t: 0.2)) for kind in (ForwardKolmogorov, FeynmanKac))
    p, u = rng.uniform(size=(2, *grid.cells))
    assert float((A.rate(p, 0.0) * u).sum()) == pytest.approx(float((p * B.rate(u, 0.0)).sum()), rel=1e-13)
    M = A.at(0.0).matrix()
    assert np.allclose(M @ p.ravel(), A.rate(p, 0.0).ravel(), rtol=0, atol=1e-11)
    assert np.abs(M - B.at(0.0).matrix().T).max() < 1e-12


def test_gibbs_laws_stay_to_rounding_whatever_the_tensor():
    def V(x, t):
        return 2 * np.cos(x[..., 0]) + np.sin(x[..., 1] + x[..., 0])

    diffusion = Diffusion(
        lambda x, t: (
            -np.einsum(
                "...ij,...j->...i",
                tensor(x, t),
                np.stack((-2 * np.sin(x[..., 0]) + np.cos(x[..., 1] + x[..., 0]), np.cos(x[..., 1] + x[..., 0])), -1),
            )
        ),
        lambda x, t: tensor(x, t),
        meaning="haenggi-klimontovich",
    )

    def tensor(x, t):
        c, s = np.cos(x[..., 0]), np.sin(x[..., 0])
        R = np.stack((np.stack((c, -s), -1), np.stack((s, c), -1)), -2)
        return R @ np.diag([1.0, 0.15]) @ np.swapaxes(R, -1, -2)

    grid = mfg.CartesianGrid.cube(np.pi, 32, 2, periodic=True)
    system = mfg.FiniteVolume(grid).semidiscretise(ForwardKolmogorov(diffusion, potential=V))
    gibbs = np.exp(-V(grid.points, 0.0))
    scale = system.spectral_radius(gibbs, 0.0) * gibbs.max()
    assert np.abs(system.rate(gibbs, 0.0)).max() < 1e-14 * scale
    assert np.abs(system.rate(gibbs**1.01, 0.0)).max() > 1e-5 * scale


def test_a_long_needle_of_a_tensor_gets_a_word_and_stays_consistent():
    angle = 0.3
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    D = R @ np.diag([1.0, 1e-4]) @ R.T
    diffusion = Diffusion(lambda x, t: 0 * x, lambda x, t: np.broadcast_to(D, (*x.shape, 2)))
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(9.0, 96, 2))
    with pytest.warns(UserWarning, match="not monotone"):
        solution = mfg.solve(
            ForwardKolmogorov(diffusion), space, mfg.gaussian(np.zeros(2), 0.5 * np.eye(2)), (0.0, 0.5)
        )
    x, law = space.grid.points, solution.fields[-1].values
    covariance = space.grid.integrate(law[..., None, None] * x[..., :, None] * x[..., None, :])
    assert covariance == pytest.approx(0.5 * np.eye(2) + D + space.grid.volume / 12 * np.eye(2), abs=2e-3)


@pytest.mark.parametrize(
    ("diffusion", "words"),
    [
        (Diffusion(lambda x, t: 0 * x, lambda x, t: 1 - x**2), r"not positive semidefinite at x = \[.*eigenvalue"),
        (Diffusion(lambda x, t: 0 * x, lambda x, t: np.ones((3, 3))), r"D must be of shape"),
        (Diffusion(lambda x, t: x[..., 0], lambda x, t: 1.0), r"drift must return an array of shape"),
        (Diffusion(lambda x, t: 0 * x, lambda x, t: np.where(x > 0, np.nan, 1.0)), r"not finite at x"),
    ],
)
def test_bad_coefficients_are_told_where(diffusion, words):
    with pytest.raises(ValueError, match=words):
        mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 32, 1)).semidiscretise(ForwardKolmogorov(diffusion)).rate(
            np.ones(32), 0.0
        )


def test_a_crooked_tensor_is_refused():
    crooked = np.array([[1.0, 0.5], [0.1, 1.0]])
    diffusion = Diffusion(lambda x, t: 0 * x, lambda x, t: np.broadcast_to(crooked, (*x.shape, 2)))
    with pytest.raises(ValueError, match="not symmetric"):
        mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 8, 2)).semidiscretise(ForwardKolmogorov(diffusion)).rate(
            np.ones((8, 8)), 0.0
        )


def test_slips_of_arity_and_meaning_are_told():
    with pytest.raises(TypeError, match=r"tensor must be a function of points and time"):
        Diffusion(lambda x, t: x, lambda x: x)
    with pytest.raises(TypeError, match="write lambda x, t"):
        Diffusion(lambda x, t: x, 0.5)
    with pytest.raises(ValueError, match="either a tensor"):
        Diffusion(lambda x, t: x)
    with pytest.raises(ValueError, match="meaning must be"):
        Diffusion(lambda x, t: x, lambda x, t: 1.0, meaning="strat")
    with pytest.raises(TypeError, match="takes a Diffusion"):
        ForwardKolmogorov(mfg.Brownian())
    with pytest.raises(ValueError, match="depends on σ"):
        Diffusion(lambda x, t: x, lambda x, t: np.broadcast_to(S, (*x.shape, 2)), meaning="stratonovich").induced_drift(
            np.zeros((3, 2)), 0.0
        )


def test_stratonovich_of_a_given_noise_adds_half_of_its_own_derivative(rng):
    """σ = (x₂, x₁)ᵀ: ½σ_j∂_jσ_i = ½(x₁, x₂); D alone would not know."""
    noise = Diffusion(lambda x, t: 0 * x, noise=lambda x, t: x[..., ::-1, None], meaning="stratonovich")
    x = rng.normal(size=(5, 2))
    assert noise.induced_drift(x, 0.0) == pytest.approx(0.5 * x, abs=1e-9)


def test_processes_and_equations_become_diffusions():
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1))
    start, process = mfg.gaussian(1.0, 0.3), mfg.OrnsteinUhlenbeck()
    plain = mfg.solve(mfg.FokkerPlanck.of(process), space, start, (0.0, 0.5)).fields[-1].values
    for source in (process, mfg.FokkerPlanck.of(process)):
        law = mfg.solve(ForwardKolmogorov.of(source), space, start, (0.0, 0.5)).fields[-1].values
        assert np.abs(law - plain).max() < 1e-3 * plain.max()
    diffusion = Diffusion.of(process)
    assert diffusion.ito_drift(np.array([[2.0]]), 0.0) == pytest.approx(process.drift(np.array([[2.0]]), 0.0))
    with pytest.raises(TypeError, match="a diffusion is made of"):
        Diffusion.of("ou")


def test_pickled_equations_come_back():
    equation = ForwardKolmogorov.of(mfg.OrnsteinUhlenbeck())
    again = pickle.loads(pickle.dumps(equation))
    assert again.time_dependent == equation.time_dependent
    assert again.horizon == equation.horizon


def test_weights_of_random_tensors_add_up_and_are_positive(rng):
    from mfgpde.kernels.selling import decompose

    for d, count in ((2, 3), (3, 6)):
        B = rng.normal(size=(500, d, d))
        D = B @ np.swapaxes(B, -1, -2) + 0.02 * np.eye(d)
        weights, vectors = np.zeros((500, count)), np.zeros((500, count, d), dtype=np.int64)
        monotone = np.zeros(500, dtype=bool)
        decompose(D, 1000, weights, vectors, monotone)
        assert monotone.all()
        assert weights.min() >= 0
        back = np.einsum("nk,nki,nkj->nij", weights, vectors, vectors)
        assert np.abs(back - D).max() < 1e-10 * np.abs(D).max()


def test_monotone_schemes_give_no_word():
    diffusion = Diffusion(lambda x, t: 0 * x, lambda x, t: np.broadcast_to(S, (*x.shape, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 16, 2)).semidiscretise(ForwardKolmogorov(diffusion)).rate(
            np.ones((16, 16)), 0.0
        )


def radius(D, cells, lower=0.0):
    """Return the radius of a planar Ornstein–Uhlenbeck process as a problem, its noise D, on (0, 6)."""
    space = interval(lower, 6.0, cells, (("reflecting", "far"),))
    return space, Diffusion(lambda r, t: -r + D / r, lambda r, t: D)


def test_a_radius_with_drift_over_r_loses_no_order():
    """From a Rayleigh law of another width: p = (r/s) e^{−r²/2s}, s = D + (s₀ − D)e^{−2t}; nothing is asked at r = 0."""
    D, start, t = 0.5, 0.2, 0.6
    s = D + (start - D) * np.exp(-2 * t)

    def rayleigh(s):
        return lambda r: r[..., 0] / s * np.exp(-(r[..., 0] ** 2) / (2 * s))

    errors = []
    for cells in (60, 120, 240, 480):
        space, diffusion = radius(D, cells)
        errors.append(distance(ForwardKolmogorov(diffusion), rayleigh(start), t, rayleigh(s))(space))
        assert mfg.solvers.stationary(ForwardKolmogorov(diffusion), space).expectation(
            lambda r: r[..., 0]
        ) == pytest.approx(np.sqrt(np.pi * D / 2), abs=4 / cells)
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(orders - 2) < 0.25), orders


def test_summaries_say_how_deep_the_scheme_is_in(rng):
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 64, 1))
    for D, deep in ((0.5, False), (1e-3, True)):
        still = Diffusion(lambda x, t: 1 - x, lambda x, t, D=D: D)
        run = mfg.solve(ForwardKolmogorov(still), space, mfg.gaussian(0.0, 0.3), (0.0, 0.1))
        plain = mfg.solve(
            mfg.FokkerPlanck(still.drift, lambda t, D=D: D, time_dependent=False),
            space,
            mfg.gaussian(0.0, 0.3),
            (0.0, 0.1),
        )
        assert run.peclet == pytest.approx(plain.peclet, rel=1e-3)
        assert ("order one" in repr(run)) == deep
        assert "cell Péclet number" in repr(run)
