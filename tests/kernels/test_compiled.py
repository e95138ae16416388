"""The device's kernels as NVRTC compiles them, without a device: registers, spills, loads; and how they are launched."""

import re

import pytest

from mfgpde.kernels.launch import PRELUDE, marched, signatures, source

ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
REGISTERS = {
    "weno_slopes": 72,
    "corrected_stage_3d": 96,
    "corrected_fitted_stage_3d": 96,
    "carry_2d": 96,
    "carry_3d": 96,
    "table_product": 160,
}  # a thread of these has twenty loads in flight and more
MOST = 64  # of the others: eight blocks of 128 threads on a multiprocessor, half of what it holds, hide memory


@pytest.mark.parametrize("real", ["double", "float"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvrtc_compiles_without_warnings_and_spills(architecture, real):
    nvrtc = pytest.importorskip("cuda.bindings.nvrtc", reason="NVRTC is optional")
    text = (PRELUDE + source()).encode()
    _, program = nvrtc.nvrtcCreateProgram(text, b"stencils.cu", 0, [], [])
    options = [
        f"--gpu-architecture={architecture}",
        f"-DREAL={real}",
        "--std=c++17",
        "--ptxas-options=-v",
    ]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = b" " * size
    nvrtc.nvrtcGetProgramLog(program, log)
    log = log.decode(errors="replace")
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS, log
    assert "warning" not in log.lower(), log
    compiled = re.findall(r"Compiling entry function '(\w+)'", log)
    assert set(compiled) == set(signatures()), log
    assert {int(n) for n in re.findall(r"(\d+) bytes spill", log)} == {0}
    used = dict(zip(compiled, map(int, re.findall(r"Used (\d+) registers", log)), strict=True))
    assert {name: n for name, n in used.items() if n > REGISTERS.get(name, MOST)} == {}
    for name, n in used.items():
        if "stage" in name:
            wide = name.startswith("corrected") and name.endswith("3d")
            assert resident(n) >= ((5 if architecture == "sm_100" else 7) if wide else 8), (name, n)
    if architecture == "sm_90" and real == "double":
        _, size = nvrtc.nvrtcGetPTXSize(program)
        text = b" " * size
        nvrtc.nvrtcGetPTX(program, text)
        assert {name: row_by_row(text.decode(), name) for name in LOADS} == LOADS


def resident(registers):
    """Return how many blocks of 128 threads the registers of a multiprocessor hold: 65 536, given to warps by 256."""
    return 65536 // (4 * 256 * -(-32 * registers // 256))


LOADS = {  # a cell: densities, coefficients of faces, three levels; five weights of a stage where they are not kept
    "stage_2d": 3 + 6 + 3,
    "stage_3d": 5 + 10 + 3,
    "fitted_stage_2d": 3 + 3 + 3,
    "fitted_stage_3d": 5 + 5 + 3 + 5,
}
"""of neighbours and faces all but those that a thread has kept from the row before: its own cell, and the face between"""


def row_by_row(ptx, name):
    """Return the most loads in a loop of a kernel, a row of cells a turn; none of them from memory of the thread's own."""
    body = ptx[ptx.index(f".entry {name}(") :]
    body = body[: body.index("\n}\n")]
    assert "ld.local" not in body
    labels = {m[1]: m.start() for m in re.finditer(r"^\$?(\w+):", body, flags=re.M)}
    jumps = [(labels.get(m[1], len(body)), m.end()) for m in re.finditer(r"bra(?:\.uni)?\s+\$?(\w+);", body)]
    return max(len(re.findall(r"ld\.global", body[start:end])) for start, end in jumps if start < end)


def test_a_launch_has_no_more_blocks_than_a_device_takes():
    """65 535 along the second and third axis: a thread marches along more rows where a grid is that long."""
    for shape in ((2**22, 3), (3, 2**22), (2**21, 2, 2), (5, 5, 2**20), (2048, 2048)):
        rows = marched(shape)
        assert 1 <= -(-shape[0] // rows) <= 65535, shape
    assert marched((2048, 2048)) == 16
