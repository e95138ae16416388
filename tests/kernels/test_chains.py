"""Laws of Markov chains: products of rates for birth and death, to the last digit over three hundred powers of ten."""

import numpy as np
import pytest
from scipy import sparse

from mfgpde.kernels.chains import stationary_law


def test_birth_and_death_keep_all_digits(rng):
    """π_{k+1}/π_k = λ_k/μ_{k+1}: barriers of e^{±600} leave 1e-13 of each entry, in any order of the states."""
    n = 301
    V = 600 * np.sin(np.linspace(0, 3 * np.pi, n)) ** 2 + 0.3 * rng.standard_normal(n)
    up, down = np.exp(-0.5 * np.diff(V)), np.exp(0.5 * np.diff(V))
    rates = sparse.diags_array([up, down], offsets=[-1, 1], shape=(n, n)).toarray()
    right = np.exp(V.min() - V) / np.exp(V.min() - V).sum()
    order = rng.permutation(n)
    found = stationary_law(sparse.csr_array(rates[np.ix_(order, order)]))
    np.testing.assert_allclose(found, right[order], rtol=1e-11)  # n roundings each way, and those of V itself: ε·600


def test_currents_go_round(rng):
    """A full chain without detailed balance: what flows in flows out, to rounding."""
    rates = rng.exponential(size=(40, 40)) ** 3
    np.fill_diagonal(rates, 0.0)
    law = stationary_law(sparse.csr_array(rates))
    np.testing.assert_allclose(rates @ law, rates.sum(axis=0) * law, rtol=1e-13)
    np.testing.assert_allclose(law.sum(), 1.0, rtol=1e-14)


def test_what_is_no_chain_is_refused():
    with pytest.raises(ValueError, match="rates must be ≥ 0"):
        stationary_law(sparse.csr_array([[0.0, -1.0], [1.0, 0.0]]))
    with pytest.raises(ValueError, match="fall into 2 classes"):
        stationary_law(sparse.csr_array([[0.0, 1.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="take more than 1e\\+00 operations"):
        stationary_law(sparse.csr_array([[0.0, 1.0], [1.0, 0.0]]), work=1.0)
