"""Libraries that some of the work needs and most does not: what each is for, and how to get it, when it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LEARNING = "learned scores, their derivatives and training", "pip install jax optax safetensors"
ELEMENTS = (
    "finite elements",
    "`pip install dolfinx-solver-real meshio` (Linux x86-64), `conda install -c conda-forge fenics-dolfinx meshio` "
    "(macOS and others)",
)
LIBRARIES: dict[str, tuple[str, str]] = {
    "jax": LEARNING,
    "jaxlib": LEARNING,
    "optax": LEARNING,
    "equinox": ("scores that are Equinox modules", "pip install equinox"),
    "safetensors": ("weights in .safetensors", "pip install safetensors"),
    "torch": ("scores that are PyTorch modules", "pip install torch"),
    "diffusers": ("schedulers and folders of diffusers on trial", "pip install diffusers torch"),
    "k_diffusion": ("samplers of k-diffusion on trial", "pip install k-diffusion torch"),
    "ot": ("transport of point clouds", "pip install pot"),
    "sklearn": ("the data set of digits", "pip install scikit-learn"),
    "flint": ("proofs by ball arithmetic", "pip install python-flint"),
    "pyvista": ("pictures of meshes", "pip install pyvista"),
    "meshio": ("mesh files", "pip install meshio"),
    **dict.fromkeys(("dolfinx", "dolfinx_solver", "basix", "ufl", "petsc4py", "slepc4py", "mpi4py"), ELEMENTS),
}
"""by the name under which each is imported: what needs it, and what to do"""


class MissingLibrary(ModuleNotFoundError):
    """Something was asked for whose library is not installed; everything else works without it."""


def explained(problem: ImportError) -> MissingLibrary | None:
    """Return a failed import of an optional library in a sentence that says what to do; None if it is another failure."""
    if isinstance(problem, MissingLibrary):
        return problem
    library = (problem.name or "").partition(".")[0]
    if not isinstance(problem, ModuleNotFoundError) or library not in LIBRARIES:
        return None
    what, cure = LIBRARIES[library]
    return MissingLibrary(
        f"{what}: this needs {library}, which is not installed: {cure}; all else works without", name=library
    )


def is_own(problem: ImportError) -> bool:
    """Say whether what could not be imported is of the package itself: that is an accident, no library that is missing.

    >>> from mfgpde.core.optional import is_own
    >>> is_own(ImportError("no such file", name="mfgpde.nowhere")), is_own(ImportError("no such library", name="ot"))
    (True, False)
    """
    return (problem.name or "").partition(".")[0] == __name__.partition(".")[0]


@contextmanager
def told() -> Iterator[None]:
    """Turn a failed import of an optional library inside the block into a MissingLibrary that says what to do.

    >>> with told():  # doctest: +ELLIPSIS
    ...     raise ModuleNotFoundError("No module named 'ot'", name="ot")
    Traceback (most recent call last):
    mfgpde.core.optional.MissingLibrary: transport of point clouds: this needs ot, which is not installed: pip install ...
    """
    try:
        yield
    except ImportError as problem:
        words = explained(problem)
        if words is None or words is problem:
            raise
        raise words from problem
