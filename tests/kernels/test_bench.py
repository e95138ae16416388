"""The benchmark of a device where there is none: its cases solve alike on host and stand-in, and traces are read aright."""

from pathlib import Path

import pytest

from mfgpde.verify import load_module

BENCH = load_module(Path(__file__).parents[2] / "benchmarks" / "device.py")
CASES = {case.name: case for case in BENCH.CASES}
SMALL = {
    "P1, order 2": 24,
    "P1, order 4": 24,
    "P2, order 2": 24,
    "P2 in 3D, order 2": 12,
    "W₂ of Gaussians": 24,
    "eikonal, WENO": 24,
}


@pytest.mark.parametrize("name", [name for name in CASES if name in SMALL])
def test_a_case_is_solved_alike(name, fake):
    """To the same error; steps may be one or two more where bounds of the spectrum differ."""
    (there, steps), (here, others) = (CASES[name].prepare(SMALL[name], backend)() for backend in ("cupy", "numpy"))
    assert there == pytest.approx(here, rel=0.02)
    assert abs(steps - others) <= 2 + 0.05 * others


def test_a_trace_is_counted():
    """Launches are what the host calls, a recorded step one of them; copies within the device are not to or fro."""
    events = [
        {"cat": "cuda_driver", "name": "cuLaunchKernel", "dur": 3},
        {"cat": "cuda_driver", "name": "cuLaunchKernelEx", "dur": 3},
        {"cat": "cuda_runtime", "name": "cudaGraphLaunch", "dur": 5},
        {"cat": "cuda_runtime", "name": "cudaMemcpyAsync", "dur": 2},
        {"cat": "cuda_runtime", "name": "cudaStreamSynchronize", "dur": 2},
        *({"cat": "kernel", "name": "stage_2d", "dur": 10, "args": {}} for _ in range(8)),
        {"cat": "gpu_memcpy", "name": "Memcpy HtoD (Pinned -> Device)", "dur": 2, "args": {"bytes": 200}},
        {"cat": "gpu_memcpy", "name": "Memcpy DtoH (Device -> Pageable)", "dur": 2, "args": {"bytes": 16}},
        {"cat": "gpu_memcpy", "name": "Memcpy DtoD (Device -> Device)", "dur": 4, "args": {"bytes": 4000}},
        {"cat": "gpu_memset", "name": "Memset (Device)", "dur": 2, "args": {"bytes": 8}},
        {"name": "process_name", "ph": "M"},
    ]
    assert BENCH.of_trace(events, 2, 1e-3) == pytest.approx((1.5, 4, 1, 108, 0.09))
    assert len(BENCH.of_trace(events, 2, 1e-3)) == len(BENCH._profiled(lambda: (0.0, 1), 1))


def test_without_a_device_it_says_so(monkeypatch):
    def none():
        raise RuntimeError("the driver sees no device")

    monkeypatch.setattr(BENCH.arrays, "device_namespace", none)
    found = BENCH.run(peers=False)
    assert "none here (the driver sees no device)" in found["title"]
    assert found["rows"] == []
