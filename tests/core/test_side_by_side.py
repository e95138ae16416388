"""Work beside other work: its result, its failure, and its end where nobody waits for it."""

import threading
import time

import pytest

from mfgpde.core import accuracy
from mfgpde.core.progress import meter
from mfgpde.core.side_by_side import beside


def test_both_are_at_work_at_once():
    """Each waits for the other: one after the other they would never end."""
    meeting = threading.Barrier(2, timeout=20.0)
    with beside(meeting.wait, apart=True) as place:
        mine = meeting.wait()
        assert {mine, place()} == {0, 1}


def test_not_apart_it_is_done_where_it_is_asked_for():
    done = []
    with beside(lambda: done.append(threading.get_ident()), apart=False) as result:
        assert not done
        result()
    assert done == [threading.get_ident()]


@pytest.mark.parametrize("apart", [True, False])
def test_a_failure_is_raised_where_the_result_is_asked_for(apart):
    with pytest.raises(ZeroDivisionError), beside(lambda: 1 / 0, apart=apart) as result:
        result()


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_work_that_nobody_waits_for_ends(failure):
    """An endless loop that tells its progress ends with the block, before the block's own failure goes on."""
    begun, ended = threading.Event(), threading.Event()

    def endless():
        try:
            with meter("endless", show=False) as bar:
                while True:
                    begun.set()
                    bar(0.5, "")
                    time.sleep(1e-3)
        finally:
            ended.set()

    def abandoned():
        with beside(endless, apart=True):
            assert begun.wait(20.0)
            raise failure("mine")

    with pytest.raises(failure, match="mine"):
        abandoned()
    assert ended.is_set()


def test_the_failure_of_the_block_goes_before_that_of_the_work():
    failed = threading.Event()

    def failing():
        failed.set()
        raise ZeroDivisionError

    def failing_too():
        with beside(failing, apart=True):
            assert failed.wait(20.0)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        failing_too()


def test_work_has_the_tolerances_of_those_who_ask():
    with accuracy.sharpened(), beside(lambda: accuracy.tolerance(1.0), apart=True) as found:
        assert found() == accuracy.SHARPER
