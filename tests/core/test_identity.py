"""Identity of work: the same in every process, another for every change, and it says which field differs."""

import functools
import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from mfgpde.core.errors import Busy
from mfgpde.core.identity import difference, digest, digest_of, identity
from mfgpde.core.lock import locked

SCALE = 2.0


def helper(x):
    return SCALE * x


def made(weight, inner=None):
    return lambda x: weight * (inner or helper)(x)


@dataclass(frozen=True, eq=False)
class Setting:
    law: object
    weight: float = 1.0
    table: object = field(init=False, default=None)

    @functools.cached_property
    def costly(self):
        return object()


class Plain:
    def __init__(self, a):
        self.a, self.array = a, np.arange(3) * a

    @functools.cached_property
    def kept(self):
        return np.random.default_rng().normal()


VARIANTS = {
    "numbers": [dict(x=v) for v in (1.0, 1.5, True, None, "1.0", 1j, np.float32(0.1), 2**60, 2**60 + 1, (1, 2), [])],
    "arrays": [
        dict(x=a) for a in (np.zeros(3), np.zeros((3, 1)), np.zeros(3, np.float32), np.array([0, 0, 1.0]), np.ones(3))
    ],
    "closures": [dict(x=made(w)) for w in (1.0, 2.0, np.ones(2))] + [dict(x=made(1.0, np.sin)), dict(x=made(1.0, np.cos))],
    "code": [
        dict(x=f)
        for f in (
            lambda x: x + 1, lambda x: x + 2, lambda x: x - 1, lambda x, y=1: x + 1, lambda x, y=2: x + 1,
            lambda x: np.sin(x), lambda x: np.cos(x), lambda x: [v + 1 for v in x], lambda x: [v + 2 for v in x],
            functools.partial(helper, 1), functools.partial(helper, 2), functools.partial(made, 1),
            np.sin, np.cos, Plain(1).__init__, Plain(2).__init__, functools.lru_cache(helper), [1.0].count, [2.0].count,
        )
    ],
    "objects": [dict(x=v) for v in (Plain(1), Plain(2), Setting(1), Setting(2), Setting(1, 2.0), Setting(Plain(1)))],
    "kinds": [dict(x=v) for v in (Plain, Setting, float, np.float64, {"a": 1}, {"a": 2}, {"b": 1}, {1: 1}, {1}, {2})],
}  # fmt: skip


@pytest.mark.parametrize("variants", VARIANTS.values(), ids=VARIANTS)
def test_every_change_shows_and_sameness_too(variants):
    assert len({digest(**parts) for parts in variants}) == len(variants)
    for parts in variants:
        assert digest(**parts) == digest(**parts)
        assert difference(identity(**parts), json.loads(json.dumps(identity(**parts)))) == ""


def test_what_was_computed_meanwhile_is_not_part_of_it():
    plain, setting = Plain(1), Setting(made(2.0))
    before = digest(a=plain, b=setting)
    assert plain.kept is not None
    assert setting.costly is not None
    assert digest(a=plain, b=setting) == before == digest(b=Setting(made(2.0)), a=Plain(1))
    assert digest(x=1) == digest(x=np.float64(1.0)) == digest_of(identity(x=1.0))


def test_the_field_that_differs_is_named():
    a, b = Setting(made(2.0)), Setting(made(3.0), 5.0)
    assert (
        difference(identity(game=a), identity(game=b))
        == "game.law.weight (2.0 there, 3.0 here), game.weight (1.0 there, 5.0 here)"
    )
    assert difference(identity(x=np.ones(9)), identity(x=np.zeros(9))) == "x"
    assert difference(identity(x=1), identity(y=1)) == "y (missing there), x (missing here)"
    assert difference(identity(x=list("abcdefgh" * 2)), identity(x=list("bcdefghi" * 2))).endswith("and 13 more")


def test_globals_that_a_function_reads_are_part_of_it(monkeypatch):
    before = identity(cost=helper, other=lambda x: helper(x))
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 3.0)
    assert difference(before, identity(cost=helper, other=lambda x: helper(x))).startswith(
        "cost.SCALE (2.0 there, 3.0 here), other"
    )


def test_own_modules_and_files_count_by_what_they_hold(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source, data = tmp_path / "own_costs.py", tmp_path / "data.bin"
    source.write_text("WEIGHT = 2.0\n\ndef bowl(x):\n    return WEIGHT * x\n")
    data.write_bytes(b"one")
    code = "import own_costs, sys; from pathlib import Path; from mfgpde.core.identity import identity; import json; "
    code += "print(json.dumps(identity(cost=lambda x: own_costs.bowl(x), data=Path('data.bin'))))"

    def fields():
        run = subprocess.run(
            [sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        return json.loads(run.stdout)

    first = fields()
    assert fields() == first  # another process, another seed of hashes
    data.write_bytes(b"two")
    source.write_text("WEIGHT = 2.5\n\ndef bowl(x):\n    return WEIGHT * x\n")
    assert difference(first, fields()) == "cost.own_costs.bowl, data"


def recursive(n):
    return 1 if n < 1 else recursive(n - 1) + mutual(n)


def mutual(n):
    return recursive(n - 2)


def test_what_contains_itself_ends():
    ring: list = []
    ring.append(ring)
    assert digest(x=ring, y=recursive) == digest(x=ring, y=recursive)


def test_what_has_no_identity_is_refused_by_name():
    gate = threading.Lock()
    with pytest.raises(ValueError, match=r"cost\.gate is a lock, which has no identity"):
        identity(cost=lambda x: gate and x)

    class Guarded:
        def __init__(self):
            self.gate, self.weight = gate, 2.0

        def identified(self):
            return {"weight": self.weight}

    assert identity(cost=Guarded())["cost.weight"] == "2.0"
    assert replace(Setting(1)).law == 1


def test_a_lock_is_held_by_one_and_goes_with_the_block(tmp_path):
    path = tmp_path / "kept.npz"
    busy = pytest.raises(Busy, match=r"another run is at work on the checkpoint .*kept\.npz")
    with locked(path, "the checkpoint"), busy, locked(path, "the checkpoint"):
        pass
    with locked(path, "the checkpoint"):
        pass
    assert not list(tmp_path.iterdir())


def test_arrays_of_other_libraries_count_by_their_values():
    jnp = pytest.importorskip("jax.numpy")
    assert difference(identity(w=jnp.ones(3)), identity(w=np.ones(3, np.float32))) == ""
    torch = pytest.importorskip("torch")
    weights = torch.ones(2, requires_grad=True)
    assert difference(identity(w=weights), identity(w=np.ones(2, np.float32))) == ""
