"""PDE solvers with error bars, and a court that verifies the theory of score-based and flow-based generative models.

The public names are listed in `__init__.pyi`; each room is imported when a name of it is first used.
"""

from typing import Any

import lazy_loader

from mfgpde.core import shown

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def _artist(result: Any) -> Any:
    from mfgpde.report.plotting import picture

    return picture(result)


shown.drawn_by(_artist)
