"""PDE solvers with error bars, and a court that verifies the theory of score-based and flow-based generative models.

Names that most work needs are listed in `__init__.pyi`, others are in their rooms; each is imported when first used.
"""

from typing import Any

import lazy_loader

from mfgpde.core import shown, threads
from mfgpde.core.optional import told
from mfgpde.core.register import defines, files
from mfgpde.core.version import __version__ as __version__

threads.wait_asleep()
_listed, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__ or name[0] == "_":
        with told():
            return _listed(name)
    raise AttributeError(f"module 'mfgpde' has no attribute {name!r}" + _elsewhere(name))


def _elsewhere(name: str) -> str:
    """Return in which rooms a name is, if it is in any."""
    places = [module.split(".")[1:] for module, path in files(__name__) if defines(path, name)]
    rooms = dict.fromkeys("finite_element" if "finite_element" in place else place[0] for place in places)
    found = [f"mfg.{room}.{name}" for room in rooms if room in __all__]
    return f"; it is in its room: {' or '.join(found)}" if found else ""


def _artist(result: Any) -> Any:
    from mfgpde.report.plotting import picture

    return picture(result)


shown.drawn_by(_artist)
