"""Rendered scenes: one or two coloured shapes on a varied background.

Every image is drawn from signed distance functions (SDFs): for a point ``p`` and a
shape ``S``, ``sdf(p) < 0`` inside, ``> 0`` outside, and ``|sdf|`` is about the distance
to the outline. With a pixel of width ``w`` the coverage ``clip(1/2 - sdf/w, 0, 1)`` is
anti-aliased without supersampling. The formulas are the standard ones of the computer
graphics literature, written here for arrays of points.

Everything is a pure function of a `numpy.random.Generator`: the same seed gives the same
pixels. A batch of scenes is a struct of arrays, so that sampling and drawing need no
loop over images.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

SHAPES = ("circle", "square", "triangle", "star", "cross", "heart", "ring", "crescent", "bar", "arrow")
"""The ten shapes; their order is the label order."""

COLOURS = {
    "red": (0.86, 0.12, 0.14), "orange": (0.98, 0.55, 0.08), "yellow": (0.97, 0.90, 0.15),
    "green": (0.13, 0.62, 0.20), "cyan": (0.18, 0.85, 0.88), "blue": (0.12, 0.25, 0.85),
    "purple": (0.50, 0.16, 0.66), "pink": (0.98, 0.55, 0.76),
    "brown": (0.48, 0.28, 0.10), "white": (0.97, 0.97, 0.97),
}  # fmt: skip
"""The ten colours as sRGB in [0, 1]; their order is the label order."""

IMAGE_SIZE = 64
"""Width and height of a rendered scene, in pixels."""

_SHAPE_EXTENT = np.array([0.92, 0.82, 0.95, 1.0, 0.92, 0.95, 0.95, 1.0, 1.05, 1.05], dtype=np.float32)
"""Each shape is scaled by its entry, so that all ten look about equally large."""


@dataclass(frozen=True)
class Scenes:
    """A batch of n scene descriptions with room for two objects each.

    Coordinates are in units of the image width, x to the right and y down, with the origin at
    the centre: the image spans [-0.5, 0.5] in both. Where ``count`` is 1 the second object's
    entries are drawn but not shown. In two-object scenes object 0 is the one on the left.

    Attributes
    ----------
    count : (n,) int, 1 or 2 objects
    shape : (n, 2) int, index into `SHAPES`
    colour : (n, 2) int, index into `COLOURS`
    centre : (n, 2, 2) float, (x, y) of each object in image widths
    radius : (n, 2) float, in image widths
    angle : (n, 2) float, rotation in radians
    large : (n, 2) bool, whether the caption may call the object large
    background : (n, 3, 3) float, three corner colours of a linear gradient, sRGB in [0, 1]
    tint : (n, 2, 3) float, deviation of each object's colour from its name's
    noise : (n,) float, standard deviation of the pixel noise, in [0, 1] units
    noise_seed : (n,) int, seed of each image's pixel noise
    """

    count: np.ndarray
    shape: np.ndarray
    colour: np.ndarray
    centre: np.ndarray
    radius: np.ndarray
    angle: np.ndarray
    large: np.ndarray
    background: np.ndarray
    tint: np.ndarray
    noise: np.ndarray
    noise_seed: np.ndarray

    def __len__(self) -> int:
        return len(self.count)

    def __getitem__(self, rows) -> "Scenes":
        """The scenes at ``rows`` (a slice or an index array), as another batch."""
        return Scenes(**{name: value[rows] for name, value in vars(self).items()})


def sample_scenes(
    rng: np.random.Generator,
    count: np.ndarray,
    *,
    shape: np.ndarray | None = None,
    colour: np.ndarray | None = None,
) -> Scenes:
    """Draw one scene description for each entry of ``count``.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : (n,) int, how many objects each scene shows, 1 or 2
    shape, colour : (n,) int, optional
        Shape and colour of the first object; drawn uniformly when left out. The second
        object always differs from the first in both.

    Examples
    --------
    >>> scenes = sample_scenes(np.random.default_rng(0), np.array([1, 2]))
    >>> render(scenes).shape
    (2, 64, 64, 3)
    """
    count = np.asarray(count)
    n = len(count)
    first_shape = rng.integers(len(SHAPES), size=n) if shape is None else np.asarray(shape)
    first_colour = rng.integers(len(COLOURS), size=n) if colour is None else np.asarray(colour)
    other_shape = (first_shape + rng.integers(1, len(SHAPES), size=n)) % len(SHAPES)
    other_colour = (first_colour + rng.integers(1, len(COLOURS), size=n)) % len(COLOURS)

    alone = (count != 2)[:, None]
    large = rng.random((n, 2)) < 0.5
    radius_one = np.where(large, rng.uniform(0.27, 0.34, (n, 2)), rng.uniform(0.17, 0.22, (n, 2)))
    radius_two = np.where(large, rng.uniform(0.19, 0.22, (n, 2)), rng.uniform(0.13, 0.155, (n, 2)))
    radius = np.where(alone, radius_one, radius_two)

    side = np.array([-1.0, 1.0])
    free = np.clip(0.48 - radius, 0.0, None)
    x = np.where(alone, rng.uniform(-1, 1, (n, 2)) * free, side * rng.uniform(0.21, 0.27, (n, 2)))
    y = rng.uniform(-1, 1, (n, 2)) * free

    # Backgrounds are dim and greyish: saturated colours belong to the objects.
    base = rng.uniform(0.05, 0.55, (n, 1, 1))
    background = np.clip(base + rng.normal(0, 0.05, (n, 1, 3)) + rng.normal(0, 0.06, (n, 3, 1)), 0, 1)
    return Scenes(
        count=count,
        shape=np.stack([first_shape, other_shape], 1),
        colour=np.stack([first_colour, other_colour], 1),
        centre=np.stack([x, y], -1).astype(np.float32),
        radius=radius.astype(np.float32),
        angle=rng.uniform(-0.35, 0.35, (n, 2)).astype(np.float32),
        large=large,
        background=background.astype(np.float32),
        tint=rng.normal(0, 0.025, (n, 2, 3)).astype(np.float32),
        noise=rng.uniform(0.0, 0.06, n).astype(np.float32),
        noise_seed=rng.integers(2**31, size=n),
    )


def concatenate(*batches: Scenes) -> Scenes:
    """Several batches as one, in order."""
    return Scenes(**{name: np.concatenate([getattr(b, name) for b in batches]) for name in vars(batches[0])})


def counterpart(scenes: Scenes, kind: str, rng: np.random.Generator) -> Scenes:
    """The same two-object scenes with their objects' sides or colours exchanged.

    A scene and its counterpart show the same shapes and the same colours: only a model that binds a
    colour or a side to its shape can tell their captions apart.

    Parameters
    ----------
    scenes : Scenes with two objects each
    kind : "sides" or "colours"
    rng : numpy.random.Generator, for fresh pixel noise
    """
    swapped = {"colour": scenes.colour[:, ::-1], "tint": scenes.tint[:, ::-1]}
    if kind == "sides":
        swapped |= {name: getattr(scenes, name)[:, ::-1] for name in ("shape", "radius", "angle", "large")}
    noise_seed = rng.integers(2**31, size=len(scenes))
    return replace(scenes, **swapped, noise_seed=noise_seed)


def render(scenes: Scenes, *, size: int = IMAGE_SIZE) -> np.ndarray:
    """Draw the scenes as (n, size, size, 3) uint8 images.

    Parameters
    ----------
    scenes : Scenes
    size : int, width and height in pixels
    """
    n = len(scenes)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    points = np.stack(np.meshgrid(axis, axis, indexing="xy"), -1).reshape(-1, 2)  # (size*size, 2)

    corner = scenes.background[:, :, None, :]
    along_x, along_y = points[:, 0:1] + 0.5, points[:, 1:2] + 0.5
    canvas = corner[:, 0] + along_x * (corner[:, 1] - corner[:, 0]) + along_y * (corner[:, 2] - corner[:, 0])

    palette = np.array(list(COLOURS.values()), dtype=np.float32)
    for slot in range(2):
        shown = np.flatnonzero(scenes.count > slot)
        for shape in np.unique(scenes.shape[shown, slot]):
            rows = shown[scenes.shape[shown, slot] == shape]
            radius = scenes.radius[rows, slot, None] * _SHAPE_EXTENT[shape]
            offset = points - scenes.centre[rows, None, slot]
            cos, sin = np.cos(scenes.angle[rows, slot, None]), np.sin(scenes.angle[rows, slot, None])
            u = (cos * offset[..., 0] + sin * offset[..., 1]) / radius
            v = (-sin * offset[..., 0] + cos * offset[..., 1]) / radius
            coverage = np.clip(0.5 - _SDFS[shape](u, v) * radius * size, 0.0, 1.0)[..., None]
            paint = palette[scenes.colour[rows, slot]] + scenes.tint[rows, slot]
            canvas[rows] += coverage * (paint[:, None] - canvas[rows])

    for row, seed in enumerate(scenes.noise_seed):
        noise = np.random.default_rng(seed).standard_normal((size * size, 3), dtype=np.float32)
        canvas[row] += scenes.noise[row] * noise
    return (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8).reshape(n, size, size, 3)


def _box(u, v, half_u, half_v):
    du, dv = np.abs(u) - half_u, np.abs(v) - half_v
    outside = np.hypot(np.maximum(du, 0), np.maximum(dv, 0))
    return outside + np.minimum(np.maximum(du, dv), 0)


def _polygon(u, v, vertices):
    """Distance to a simple polygon: nearest edge, signed by the crossing parity."""
    distance = np.full_like(u, np.inf)
    inside = np.zeros(u.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        ex, ey = bx - ax, by - ay
        wx, wy = u - ax, v - ay
        t = np.clip((wx * ex + wy * ey) / (ex * ex + ey * ey), 0, 1)
        distance = np.minimum(distance, (wx - ex * t) ** 2 + (wy - ey * t) ** 2)
        inside ^= ((ay > v) != (by > v)) & (wx < ex * wy / (ey if ey else 1e-12))
    return np.where(inside, -1, 1) * np.sqrt(distance)


def _around(*radii):
    """Vertices at equal angles around the centre, at these distances from it, the first one above it."""
    turn = np.arange(len(radii)) * 2 * np.pi / len(radii) - np.pi / 2
    return (np.array(radii)[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)).astype(np.float32)


_TRIANGLE = _around(1, 1, 1)
_STAR = _around(*[1, 0.42] * 5)
_ARROW = np.float32([(1, 0), (0.15, -0.8), (0.15, -0.3), (-1, -0.3), (-1, 0.3), (0.15, 0.3), (0.15, 0.8)])
# A heart: two half circles over a wedge, as a polygon fine enough for 64 pixels.
_turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
_down = -(13 * np.cos(_turn) - 5 * np.cos(2 * _turn) - 2 * np.cos(3 * _turn) - np.cos(4 * _turn)) / 16
_HEART = np.stack([np.sin(_turn) ** 3, _down], 1).astype(np.float32)

_SDFS: tuple[Callable, ...] = (
    lambda u, v: np.hypot(u, v) - 1,
    lambda u, v: _box(u, v, 0.95, 0.95),
    lambda u, v: _polygon(u, v, _TRIANGLE),
    lambda u, v: _polygon(u, v, _STAR),
    lambda u, v: np.minimum(_box(u, v, 1, 0.33), _box(u, v, 0.33, 1)),
    lambda u, v: _polygon(u, v, _HEART),
    lambda u, v: np.abs(np.hypot(u, v) - 0.75) - 0.25,
    lambda u, v: np.maximum(np.hypot(u, v) - 1, 0.8 - np.hypot(u - 0.45, v)),
    lambda u, v: _box(u, v, 1, 0.32),
    lambda u, v: _polygon(u, v, _ARROW),
)
