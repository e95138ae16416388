"""Rectangles of complex numbers hold the values of formulas; ellipses are covered."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.rectangles import Rectangle, ellipse, filled
from mfgpde.core.taylor import NotEnclosed

FORMULAS = {
    "powers": lambda z: 2.0 - z + z**3 - 0.5 * z**4,
    "quotient": lambda z: (1.0 - z) / (3.0 + z * z) + 1 / z,
    "exponential": lambda z: np.exp(-z) * np.expm1(0.3 * z) + 2.5**z,
    "waves": lambda z: np.cos(3 * z) + z * np.sin(2 * z),
    "root": lambda z: np.sqrt(z) * (1 + np.sqrt(1 + z)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_values_at_drawn_points_are_inside(name, rng):
    f, n = FORMULAS[name], 200
    x, y = rng.uniform(0.3, 2.0, n), rng.uniform(-1.5, 1.5, n)
    wide, high = rng.uniform(0.0, 0.2, (2, n))
    box = f(Rectangle.of(x, x + wide, y, y + high))
    for _ in range(20):
        value = f(x + wide * rng.uniform(size=n) + 1j * (y + high * rng.uniform(size=n)))
        room = 1e-12 * (1 + np.abs(value))
        assert np.all((box.real.lower[0] - room <= value.real) & (value.real <= box.real.upper[0] + room))
        assert np.all((box.imaginary.lower[0] - room <= value.imag) & (value.imag <= box.imaginary.upper[0] + room))
        assert np.all(np.abs(value) <= box.largest + room)


def test_points_of_the_ellipse_are_covered(rng):
    """Z ↦ z + √(z² − 1) has the modulus ρ there, and all angles are found."""
    edge = ellipse(1.0, 4.0, 1.7, arcs=40)
    angle = rng.uniform(0, np.pi, 500)
    w = 1.7 * np.exp(1j * angle)
    z = 2.5 + 1.5 * 0.5 * (w + 1 / w)
    inside = (edge.real.lower[0] <= z.real[:, None]) & (z.real[:, None] <= edge.real.upper[0])
    inside &= (edge.imaginary.lower[0] <= z.imag[:, None]) & (z.imag[:, None] <= edge.imaginary.upper[0])
    assert inside.any(axis=1).all()


def test_points_within_the_ellipses_are_covered_and_few_others(rng):
    """Of two, their edges too; the rectangles are together less than a third larger."""
    foci = np.array([1.0, 4.0]), np.array([4.0, 4.5])
    found, rho = filled(*foci, 1.7, 8, 4), 1.7
    sides = [
        one.reshape(2, -1)
        for one in (found.real.lower[0], found.real.upper[0], found.imaginary.lower[0], found.imaginary.upper[0])
    ]
    for k in range(2):
        left, right, low, high = (one[k] for one in sides)
        w = np.append(np.full(300, rho), rng.uniform(1.0, rho, 300)) * np.exp(1j * rng.uniform(0, np.pi, 600))
        z = 0.5 * (foci[0][k] + foci[1][k]) + 0.25 * (foci[1][k] - foci[0][k]) * (w + 1 / w)
        x, y = z.real[:, None], z.imag[:, None]
        assert np.all(np.any((left <= x) & (x <= right) & (low <= y) & (y <= high), axis=1))
        area = np.pi / 32 * (foci[1][k] - foci[0][k]) ** 2 * (rho**2 - rho**-2)
        assert area < np.sum((right - left) * (high - low)) < 4 / 3 * area


@pytest.mark.parametrize(
    ("rho", "across", "up"), [(2.71, 3, 64), (2.13, 5, 40), (2.38, 5, 40), (2.0, 77, 30), (1.5, 8, 4)]
)
def test_no_rectangle_is_missing_in_the_middle(rho, across, up):
    """Their edges meet at zero, whose size is no rounding: beside it the ellipse is as high as it gets."""
    found = filled(np.array([-1.0]), np.array([1.0]), rho, across, up)
    x, y = np.array([-1e-3, 0.0, 1e-3])[:, None], 0.49999 * (rho - 1 / rho)
    left, right, low, high = (
        found.real.lower[0],
        found.real.upper[0],
        found.imaginary.lower[0],
        found.imaginary.upper[0],
    )
    assert np.all(np.any((left <= x) & (x <= right) & (low <= y) & (y <= high), axis=1))


@pytest.mark.parametrize("process", [mfg.OrnsteinUhlenbeck(), mfg.VariancePreserving(), mfg.SubVariancePreserving(),
                                     mfg.VarianceExploding(0.1, 3.0)])  # fmt: skip
def test_coefficients_of_processes_take_rectangles(process):
    z = Rectangle.of(np.array([0.4]), np.array([0.4]), np.array([0.2]), np.array([0.2]))
    for formula in (process.mean_coefficient, process.variance, process.diffusivity, process.relaxation):
        found, value = formula(z), complex(np.asarray(formula(0.4 + 0.2j)))
        box = found if isinstance(found, Rectangle) else z * 0.0 + found
        assert box.real.lower[0, 0] == pytest.approx(value.real, abs=1e-12)
        assert box.imaginary.upper[0, 0] == pytest.approx(value.imag, abs=1e-12)


def test_what_is_not_enclosed_is_refused():
    z = Rectangle.of(np.array([0.4]), np.array([0.5]), np.array([0.2]), np.array([0.2]))
    with pytest.raises(NotEnclosed, match="whole"):
        z**0.5
    with pytest.raises(NotEnclosed, match="mixes"):
        z + "one"
    with pytest.raises(ValueError, match="ρ > 1"):
        ellipse(0.0, 1.0, 1.0)
