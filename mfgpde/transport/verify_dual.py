"""Check a lower bound of W₂ with whole numbers alone: `python verify_dual.py CERTIFICATE.json`, from any Python 3.

Nothing of the package is used, no number with a point is read or made. With X = 2^b x and so on, it holds that
    φ_i + ψ_j ≤ |X_i − Y_j|² for all i, j   and so   4^b W₂² ≥ Σp_iφ_i/Σp_i + Σq_jψ_j/Σq_j.
"""

import json
import sys

MOST_BITS = 1074
"""by which every double is whole"""


def refuse(text):
    """Raise ValueError: numbers are whole."""
    raise ValueError(f"{text} is no whole number")


def whole(text):
    """Return a whole number from its text. Raises ValueError for anything else."""
    if not isinstance(text, str) or not text.lstrip("-").isdigit():
        refuse(text)
    return int(text)


def read(text):
    """Return the certificate's whole numbers. Raises ValueError where one is missing, or shapes do not fit."""
    found = json.loads(text, parse_float=refuse, parse_constant=refuse)
    if not isinstance(found, dict):
        raise ValueError("a certificate is a JSON object")
    for name in ("bits", "x", "y", "p", "q", "phi", "psi", "lower"):
        if name not in found:
            raise ValueError(f"the certificate lacks {name!r}")
    x, y = ([[whole(c) for c in point] for point in found[name]] for name in ("x", "y"))
    p, q, phi, psi, lower = ([whole(c) for c in found[name]] for name in ("p", "q", "phi", "psi", "lower"))
    if len({len(point) for point in x + y}) != 1:
        raise ValueError("points have different dimensions")
    if not len(x) == len(p) == len(phi) or not len(y) == len(q) == len(psi):
        raise ValueError("there must be one weight and one potential to each point")
    if min(p + q) < 0 or sum(p) <= 0 or sum(q) <= 0:
        raise ValueError("weights must be at least zero with a positive sum")
    if len(lower) != 2 or lower[1] <= 0:
        raise ValueError("the bound is a numerator and a positive denominator")
    bits = whole(found["bits"])
    if not 0 <= bits <= MOST_BITS:
        raise ValueError(f"bits must be from zero to {MOST_BITS}")
    return bits, x, y, p, q, phi, psi, lower


def verify(text):
    """Return the bound of W₂² as numerator and denominator. Raises ValueError that says what does not hold."""
    bits, x, y, p, q, phi, psi, (numerator, denominator) = read(text)
    for i, point in enumerate(x):
        for j, other in enumerate(y):
            squared = sum((a - b) ** 2 for a, b in zip(point, other))  # any Python 3
            if phi[i] + psi[j] > squared:
                raise ValueError(f"the potentials exceed the cost of points {i} and {j}")
    total_p, total_q = sum(p), sum(q)
    gained = total_q * sum(w * f for w, f in zip(p, phi)) + total_p * sum(w * g for w, g in zip(q, psi))
    if numerator * total_p * total_q * 4**bits > gained * denominator:
        raise ValueError("the bound is larger than what the potentials prove")
    return numerator, denominator


def main(arguments):
    """Verify a file; exit code 1 where it proves nothing."""
    if len(arguments) != 1:
        print("python verify_dual.py CERTIFICATE.json", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            numerator, denominator = verify(file.read())
    except (OSError, ValueError, TypeError, RecursionError) as problem:
        print(f"not proved: {problem}")
        return 1
    print(f"proved: W2 squared is at least {numerator} over {denominator}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
