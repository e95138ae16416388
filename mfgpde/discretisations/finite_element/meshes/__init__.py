"""Meshes: by name, from files, graded by a width; each a recipe that can be refined."""

from typing import TYPE_CHECKING

from mfgpde.core.register import Register, opened
from mfgpde.discretisations.finite_element.meshes.files import read
from mfgpde.discretisations.finite_element.meshes.graded import graded, toward
from mfgpde.discretisations.finite_element.meshes.shapes import (
    Mesh,
    annulus,
    box,
    curve,
    disc,
    interval,
    sphere,
    torus,
)

__all__ = [
    "MESHES",
    "Mesh",
    "annulus",
    "box",
    "curve",
    "disc",
    "graded",
    "interval",
    "read",
    "sphere",
    "torus",
    "toward",
]

MESHES = Register(__name__, Mesh, "mesh")

if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)
