"""The camera: from the plane of the box's rim to the picture.

Plane coordinates are centimetres: x right, y down, z away from the camera, the rim at z = 0. Picture
coordinates are continuous: the first pixel column spans x from 0 to 1, so its centre is at 0.5.
"""

from dataclasses import dataclass

import cv2
import numpy as np

FAR = 1.5  # radius, in half diagonals of the picture, up to which the lens is exact


@dataclass
class View:
    """One pose. `matrix` maps the rim plane (cm) to the picture (px) before the lens bends it."""

    matrix: np.ndarray
    foot: np.ndarray
    height: float
    size: tuple
    bend: float
    settings: dict

    def sink(self, points, depth):
        """Where points `depth` cm below the rim are seen, in coordinates of the rim plane."""
        points = np.asarray(points, float)
        return self.foot + (points - self.foot) * (self.height / (self.height + depth))

    def straight(self, points):
        """Plane points (cm) in the picture (px) without lens distortion."""
        p = np.asarray(points, float).reshape(-1, 2)
        q = p @ self.matrix[:, :2].T + self.matrix[:, 2]
        return (q[:, :2] / q[:, 2:]).reshape(np.shape(points))

    def project(self, points):
        """Plane points (cm) in the picture (px), as the lens shows them; float32, same shape."""
        q = self.straight(points)
        centre, r = self.middle()
        u = (q - centre) / r
        radius = np.sqrt((u * u).sum(-1, keepdims=True))
        # The lens is given as seen -> straight: u = v (1 + bend |v|^2). Newton finds v; far outside the
        # picture, where a barrel lens has no answer, the factor stays what it is at FAR.
        far = np.minimum(radius, FAR)
        seen = far.copy()
        for _ in range(6):
            seen -= (seen * (1 + self.bend * seen**2) - far) / (1 + 3 * self.bend * seen**2)
        return (centre + r * u * (seen / np.maximum(far, 1e-9))).astype(np.float32)

    def unproject(self, pixels):
        """Picture points (px) on the rim plane (cm)."""
        v = np.asarray(pixels, float)
        centre, r = self.middle()
        u = (v - centre) / r
        u = centre + r * u * (1 + self.bend * (u**2).sum(-1, keepdims=True))
        q = np.concatenate([u, np.ones_like(u[..., :1])], -1) @ np.linalg.inv(self.matrix).T
        return q[..., :2] / q[..., 2:]

    def middle(self):
        """Centre of the lens and the radius at which `bend` acts, in pixels."""
        w, h = self.size
        return np.array([w / 2, h / 2]), np.hypot(w, h) / 2

    def scale(self, points):
        """Pixels per centimetre at plane points: the square root of the area scale."""
        p = np.asarray(points, float).reshape(-1, 2)
        e = 0.5
        a, b = (self.straight(p + d) - self.straight(p - d) for d in (np.array([e, 0]), np.array([0, e])))
        return np.sqrt(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])) / (2 * e)


def tilt_of(rng):
    """Angle between the view and the box's normal, degrees: mostly under 12, rarely to 35."""
    return float(min(abs(rng.normal(0, 4.5)) if rng.random() < 0.88 else rng.uniform(8, 33), 35))


def roll_of(rng):
    """Turn of the camera about its axis, degrees."""
    u = rng.random()
    return float(rng.normal(0, 0.8) if u < 0.55 else rng.normal(0, 4) if u < 0.93 else rng.uniform(-30, 30))


def place(rng, corners, size, frame):
    """A view in which the rectangle of plane corners (cm) lies as `frame` asks.

    `frame` is (u, v, span, dx, dy): the rectangle's bounding rectangle in the picture covers `span` of the
    tighter side; u, v share out the room that is left (0 = at the left or top border, 1 = right or bottom);
    then it is moved by dx, dy of its own width and height.
    """
    centre = corners.mean(0) + rng.normal(0, 3, 2)
    extent = np.ptp(corners, axis=0).max()
    tilt, toward, roll = tilt_of(rng), rng.uniform(0, 2 * np.pi), roll_of(rng)
    if rng.random() < 0.6:
        toward = np.pi / 2 + rng.normal(0, 0.3)  # people stand below the box and lean
    distance = extent * float(np.exp(rng.uniform(np.log(1.0), np.log(3.0)))) + 25
    t = np.deg2rad(tilt)
    side = distance * np.sin(t) * np.array([np.cos(toward), np.sin(toward)])
    eye = np.array([*(centre + side), -distance * np.cos(t)])
    matrix = looking(eye, np.array([*centre, 0.0]), np.deg2rad(roll))
    bend = float(np.clip(rng.normal(0, 0.012 if rng.random() < 0.7 else 0.035), -0.045, 0.06))
    settings = {
        "tilt": round(tilt, 2),
        "toward": round(float(np.rad2deg(toward)), 1),
        "roll": round(roll, 2),
        "distance_cm": round(distance, 1),
        "bend": round(bend, 4),
    }
    view = View(matrix, eye[:2].copy(), -eye[2], tuple(size), 0.0, settings)
    view.matrix = similarity(view.straight(corners), size, frame) @ view.matrix
    if rng.random() < 0.15:
        view.matrix = skew(rng, size) @ view.matrix
    view.bend = bend
    for _ in range(3):  # the lens moves the box a little: put it back
        view.matrix = similarity(view.project(corners).astype(float), size, frame) @ view.matrix
    return view


def skew(rng, size):
    """A slight projective distortion (3x3): a photograph of a photograph, or a picture straightened by hand."""
    w, h = size
    to_unit = np.array([[2 / w, 0, -1], [0, 2 / h, -1], [0, 0, 1]])
    p, q = np.clip(rng.normal(0, 0.06, 2), -0.15, 0.15)
    bent = np.array([[1, rng.normal(0, 0.02), 0], [rng.normal(0, 0.02), 1, 0], [p, q, 1]])
    return np.linalg.inv(to_unit) @ bent @ to_unit


def looking(eye, target, roll):
    """Homography of the plane z = 0 for a camera at `eye` that looks at `target`, focal length 1."""
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.array([1.0, 0, 0]) - z[0] * z
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    c, s = np.cos(roll), np.sin(roll)
    r = np.stack([c * x - s * y, s * x + c * y, z])
    return np.stack([r[:, 0], r[:, 1], -r @ eye], 1)


def similarity(points, size, frame):
    """Zoom and shift (3x3) that put the points' bounding rectangle where `frame` asks."""
    low, high = points.min(0), points.max(0)
    u, v, span, dx, dy = frame
    zoom = span * (np.asarray(size) / (high - low)).min()
    box = zoom * (high - low)
    shift = np.array([u, v]) * (size - box) + np.array([dx, dy]) * box - zoom * low
    return np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]], [0, 0, 1.0]])


def photograph(view, sheet, origin, px_per_cm):
    """The sheet (a picture of the plane whose top left is at `origin`, cm) as the camera sees it."""
    w, h = view.size
    step = 16
    xs, ys = np.arange(0, w + step, step) + 0.5, np.arange(0, h + step, step) + 0.5
    grid = np.stack(np.meshgrid(xs, ys), -1)
    at = (view.unproject(grid) - origin) * px_per_cm - 0.5
    coarse = at.astype(np.float32)
    # Between grid points the map is smooth: linear interpolation is good to hundredths of a pixel.
    x = np.arange(w, dtype=np.float32) / step
    y = np.arange(h, dtype=np.float32) / step
    maps = np.empty((h, w, 2), np.float32)
    for k in (0, 1):
        maps[..., k] = spread(coarse[..., k], x, y)
    return cv2.remap(sheet, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def spread(grid, x, y):
    """The grid interpolated linearly at columns x and rows y (in grid steps)."""
    i, j = np.minimum(x.astype(int), grid.shape[1] - 2), np.minimum(y.astype(int), grid.shape[0] - 2)
    u, v = (x - i).astype(np.float32), (y - j).astype(np.float32)[:, None]
    rows = grid[:, i] * (1 - u) + grid[:, i + 1] * u
    return rows[j] * (1 - v) + rows[j + 1] * v
