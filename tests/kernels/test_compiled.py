"""The device's kernels as NVRTC compiles them, without a device: registers, spills, loads; and how they are launched."""

import re

import pytest

from mfgpde.kernels.launch import PRELUDE, marched, signatures, source

ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
REGISTERS = {
    "weno_slopes": 72,
    "corrected_stage_3d": 96,
    "corrected_fitted_stage_3d": 96,
    "corrected_fitted_pairs_3d": 128,
    "carry_2d": 96,
    "carry_3d": 96,
    "table_product": 160,
}  # a thread of these has twenty loads in flight and more
MOST = 64  # of the others: eight blocks of 128 threads on a multiprocessor, half of what it holds, hide memory


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "real"),
    [
        pytest.param(architecture, real, marks=[pytest.mark.slow] * ((i + k) % 2))
        for i, architecture in enumerate(ARCHITECTURES)
        for k, real in enumerate(("double", "float"))
    ],
)  # each architecture once; the others are slow
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
    assert (
        resident(used["corrected_fitted_pairs_3d"]) >= 4
    )  # sixteen warps, each with as many bytes on their way as two
    _, size = nvrtc.nvrtcGetPTXSize(program)
    text = b" " * size
    nvrtc.nvrtcGetPTX(program, text)
    text = text.decode()
    a_turn_of_sixteen_bytes_a_thread(text, real, architecture)
    on_the_fly_divides_nothing(text)
    if architecture == "sm_90" and real == "double":
        assert {name: row_by_row(text, name) for name in LOADS} == LOADS


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
    """Return the most loads in a loop of a kernel, a row of cells a turn."""
    return max(turn.count("ld.global") for turn in turns(ptx, name))


def turns(ptx, name):
    """Return the loops of a kernel; it has nothing in memory of the thread's own."""
    body = body_of(ptx, name)
    assert "ld.local" not in body
    labels = {m[1]: m.start() for m in re.finditer(r"^\$?(\w+):", body, flags=re.M)}
    jumps = [(labels.get(m[1], len(body)), m.end()) for m in re.finditer(r"bra(?:\.uni)?\s+\$?(\w+);", body)]
    return [body[start:end] for start, end in jumps if start < end]


def body_of(ptx, name):
    body = ptx[ptx.index(f".entry {name}(") :]
    return body[: body.index("\n}\n")]


def a_turn_of_sixteen_bytes_a_thread(ptx, real, architecture):
    """A plane of cells takes sixteen loads of sixteen bytes and one store.

    Of densities two beside in the row, four across rows and one ahead along the march; of faces four across rows, one
    ahead and one along the row; three levels. Along a row, a face at either end and one that the word leaves over are
    alone, and the five weights of a stage. What is ahead is asked for before anything of this plane is computed. For
    Blackwell the compiler reads of the words beside only what it needs, and takes one of two cells apart.
    """
    width, apart = {"double": 2, "float": 4}[real], architecture == "sm_100"
    (turn,) = (one for one in turns(ptx, "corrected_fitted_pairs_3d") if f"st.global.v{width}." in one)
    wide, alone = (len(re.findall(rf"ld\.global(?:\.nc)?{kind}", turn)) for kind in (r"\.v[24]\.", r"\.[bf]\d"))
    assert 7 + 6 + 3 - apart <= wide <= 7 + 6 + 3
    assert (
        alone <= 3 + 5 + (0 if real == "double" else 5) + 2 * apart
    )  # where no word of four fits, five faces one by one
    assert turn.count("st.global") == 1
    ahead = turn[: re.search(r"(mul|fma|sub|add)\S*\.f(32|64)", turn).start()]
    assert len(re.findall(rf"ld\.global(?:\.nc)?\.v{width}", ahead)) == 2


def on_the_fly_divides_nothing(ptx):
    """Of |w| ≤ 1 all functions are polynomials, whose coefficients are operands from constant memory."""
    plain = ("fitted_stage_2d", "fitted_stage_3d", "corrected_fitted_stage_2d", "corrected_fitted_stage_3d")
    for name in (*plain, "corrected_fitted_pairs_3d"):
        body = body_of(ptx, name)
        assert not re.search(r"(div|rcp)\.\S*f(32|64)", body)
        assert "ld.const" in body


def test_a_launch_has_no_more_blocks_than_a_device_takes():
    """65 535 along the second and third axis: a thread marches along more rows where a grid is that long."""
    for shape in ((2**22, 3), (3, 2**22), (2**21, 2, 2), (5, 5, 2**20), (2048, 2048)):
        rows = marched(shape)
        assert 1 <= -(-shape[0] // rows) <= 65535, shape
    assert marched((2048, 2048)) == 16
