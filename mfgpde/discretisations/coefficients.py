"""Coefficients of an equation at points of a grid: computed on the device where they can be, else on the host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.recent import Recent
from mfgpde.discretisations.checks import checked, trouble
from mfgpde.grids import CartesianGrid

KEY = "coefficients on the device"
SLAB = 2**23
"""points in which a function is evaluated at once on a device"""
KEPT = 2**20
"""cells of a grid up to which the points of its faces stay on a device, 8 d² bytes a cell"""
SHARES = (0.3, 0.55, 0.8)
"""of the box, from its lower to its upper corner: the faces at which what was read is kept"""


Slab = tuple[tuple[slice, ...], Any]
"""which of all faces normal to an axis, and their points"""


@dataclass(eq=False)
class Coefficients:
    """Calls functions (x, t) of points; `work` says, after the first call, whether they compute on the device: 1 or 0."""

    grid: CartesianGrid
    xp: Any = np
    work: dict[str, float] = field(default_factory=dict)
    _points: Any = None
    _slabs: dict[int, list[Slab]] = field(default_factory=dict, repr=False)
    _read: Recent[tuple[Any, Any]] = field(default_factory=lambda: Recent(12), repr=False)

    def __call__(
        self,
        function: Callable[[Array, float], Any],
        x: Array,
        t: float,
        shape: tuple[int, ...],
        what: str,
        finite: bool = True,
    ) -> Any:
        """Return function(x, t) as `xp` holds it; ValueError and TypeError, naming `what`, unless finite of that shape.

        With `finite` false what a device computes is not looked at: whoever asks does.
        """
        if self.xp is np:
            return checked(function(x, t), shape, what)
        if self._computes_there(function, t):
            return checked(function(self._sent(x), t), shape, what, finite)
        return self.xp.asarray(np.ascontiguousarray(checked(function(x, t), shape, what)))

    def on_faces(
        self, function: Callable[[Array, float], Any], axis: int, t: float, what: str, finite: bool = True
    ) -> Any:
        """Return component `axis` of function(x, t) on all faces normal to it, zero on walls, which carry no flux.

        With `finite` false what a device computes is not looked at: whoever asks does.

        Slab by slab, for a large grid has no array of its points; on a device they are made there from the axes. Nothing is
        evaluated on walls, where a function may be singular.
        """
        shape = tuple(n + (i == axis) for i, n in enumerate(self.grid.cells))
        there = self.xp is not np and self._computes_there(function, t)
        values = np.zeros_like(self._face_axes[axis][0] if there else np.empty(0), shape=shape)
        for part, faces in self._slabs_there(axis) if there else self.grid.face_slabs(axis):
            values[part] = checked(function(faces, t), faces.shape, what, finite or not there)[..., axis]
        if not there and self.xp is not np:
            return self.xp.asarray(values)
        if self.xp is np:
            self._read((id(function), axis, t), lambda: (function, values[self._few[axis]]))  # its id stays its own
        return values

    @cached_property
    def _few(self) -> tuple[tuple[Any, ...], ...]:
        """The indices of three faces normal to each axis, none of them on a wall."""
        shares, cells = np.array(SHARES), self.grid.cells
        inside = [np.minimum((shares * n).astype(int), n - 1) for n in cells]
        faces = [np.clip(np.rint(shares * n).astype(int), min(1, n - 1), max(1, n - 1)) for n in cells]
        return tuple(
            tuple(faces[i] if i == axis else inside[i] for i in range(len(cells))) for axis in range(len(cells))
        )

    @cached_property
    def few(self) -> Array:
        """Three faces normal to each axis, (3d, d)."""
        axes = [self.grid.face_axes(axis) for axis in range(self.grid.dimension)]
        return np.concatenate(
            [
                np.stack([x[k] for x, k in zip(along, index, strict=True)], axis=-1)
                for along, index in zip(axes, self._few, strict=True)
            ]
        )

    def on_few(self, function: Callable[[Array, Any], Any], t: float) -> Array:
        """Return the components normal to those faces at a time, (3d,): as read lately on all faces, else of a call."""
        keys = [(id(function), axis, t) for axis in range(self.grid.dimension)]
        if all(key in self._read for key in keys):
            return np.concatenate([self._read(key, lambda: (function, np.empty(0)))[1] for key in keys])
        values = np.asarray(function(self.few, t), dtype=float)  # not finite, it may be, between steps
        return normal(
            values if values.shape == self.few.shape else checked(values, self.few.shape, f"the drift at t = {t:g}")
        )

    def _slabs_there(self, axis: int) -> Iterable[Slab]:
        """Return slabs of faces on the device, where they stay if all of them take little memory."""
        if int(np.prod(self.grid.cells)) > KEPT:
            return self._face_slabs(axis)
        if axis not in self._slabs:
            self._slabs[axis] = list(self._face_slabs(axis))
        return self._slabs[axis]

    def _face_slabs(self, axis: int) -> Iterator[Slab]:
        along = self._face_axes[axis]
        for where, part in self.grid.slabs(axis, SLAB):
            yield where, mesh((along[0][part], *along[1:]))

    @cached_property
    def _face_axes(self) -> tuple[tuple[Any, ...], ...]:
        """The coordinates of the faces normal to each axis and off its walls, on the device."""
        axes = range(self.grid.dimension)
        return tuple(tuple(map(self.xp.asarray, self.grid.axes_off_walls(axis))) for axis in axes)

    def _computes_there(self, function: Callable[[Array, float], Any], t: float) -> bool:
        if not self.work:
            few = self.xp.asarray(np.array([[x[k] for x in self.grid.axes] for k in (0, -1)]))
            self.work[KEY] = float(not trouble(lambda: function(few, t)))
        return bool(self.work[KEY])

    def _sent(self, x: Array) -> Any:
        """Return points on the device; those of all cells stay there."""
        if x is not self.grid.points:
            return self.xp.asarray(x)
        if self._points is None:
            self._points = self.xp.asarray(x)
        return self._points


def normal(values: Array) -> Array:
    """Return the components (…, 3d) normal to the faces of values (…, 3d, d) on `few`."""
    count, d = values.shape[-2:]
    return values[..., np.arange(count), np.arange(count) // (count // d)]


def mesh(axes: tuple[Any, ...]) -> Any:
    """Return the points of a product of axes, (*sizes, d), where the axes lie."""
    d = len(axes)
    points = np.empty_like(axes[0], shape=(*(len(x) for x in axes), d))
    for i, x in enumerate(axes):
        points[..., i] = x.reshape((-1,) + (1,) * (d - 1 - i))
    return points


class Evaluating:
    """A scheme on a `grid`, its arrays in the namespace `xp`, that evaluates coefficients of its equation."""

    grid: CartesianGrid
    xp: Any

    @cached_property
    def coefficients(self) -> Coefficients:
        """What evaluates them."""
        return Coefficients(self.grid, self.xp)

    @property
    def work(self) -> dict[str, float]:
        """Where they were evaluated."""
        return self.coefficients.work
