"""A bounded cache: the oldest goes, what is used stays, nothing is pickled."""

import pickle

from mfgpde.core.recent import Recent


def test_the_least_recently_used_goes_first():
    kept, made = Recent(2), []

    def make(key):
        return kept(key, lambda: made.append(key) or key)

    assert [make(key) for key in (1, 2, 1, 3, 1, 2)] == [1, 2, 1, 3, 1, 2]
    assert made == [1, 2, 3, 2]  # 2 went when 3 came, 1 had been used since
    assert len(kept) == 2


def test_pickled_it_is_empty_and_keeps_its_size():
    kept = Recent(3)
    kept("a", lambda: lambda: 0)  # what cannot be pickled does not matter
    again = pickle.loads(pickle.dumps(kept))
    assert (len(again), again.most) == (0, 3)
