"""Does each property change the picture where it should, and only there? Measures of pictures, and what to expect.

A picture is a float array (h, w, 3) from 0 to 1 as stored in the file, a silhouette a boolean array (h, w): the car.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from dml_analysis.renderer import camera, sampling

MARGIN = 3  # pixels: the rim of the car is a mixture of car and background
SHADOW = 0.85  # of the brightness of the ground in full light: what is darker is shadow


class Measures(NamedTuple):
    """What one picture shows, by itself and compared with the base picture. Lengths as parts of the picture's side."""

    outline: float  # intersection over union of the two silhouettes: 1 is the same outline
    car: float  # mean absolute difference over the car
    background: float  # and over what is car in neither, near the car left out
    brightness: float  # mean of the picture
    horizon: float  # height of the line between ground and background, from the top
    shadow: float  # part of the picture that is in shadow
    shadow_x: float  # middle of the shadow, right of the middle of the car


def measure(picture, silhouette, base, base_silhouette):
    """The Measures of a picture. Raises ValueError if the pictures differ in size."""
    if picture.shape != base.shape:
        raise ValueError(f"pictures of different sizes, {picture.shape} and {base.shape}")
    difference = np.abs(picture - base).mean(axis=2)
    inside = ndimage.binary_erosion(silhouette & base_silhouette, iterations=MARGIN)
    outside = ~ndimage.binary_dilation(silhouette | base_silhouette, iterations=MARGIN)
    row = horizon_row(picture)
    shadow = shadow_of(picture, silhouette, row)
    height, width = silhouette.shape
    return Measures(
        outline=(silhouette & base_silhouette).sum() / (silhouette | base_silhouette).sum(),
        car=difference[inside].mean() if inside.any() else np.nan,
        background=difference[outside].mean(),
        brightness=picture.mean(),
        horizon=row / height,
        shadow=shadow.mean(),
        shadow_x=(_middle(shadow) - _middle(silhouette)) / width,
    )


def _middle(region):
    """Mean column of a region (h, w); not a number if it is empty."""
    return np.nonzero(region)[1].mean() if region.any() else np.nan


def horizon_row(picture):
    """The first row of the ground: below the sharpest step that both the left and the right rim of the picture have."""
    width = picture.shape[1] // 12
    rims = np.stack([picture[:, :width], picture[:, -width:]])
    steps = np.abs(np.diff(np.median(rims, axis=2), axis=1)).sum(axis=2)  # (rims, rows)
    return int(steps.min(axis=0).argmax()) + 1  # a long shadow reaches one rim, not both


def shadow_of(picture, silhouette, horizon):
    """Which pixels (h, w) are ground in shadow: clearly darker than most of the ground."""
    ground = ~ndimage.binary_dilation(silhouette, iterations=MARGIN)
    ground[:horizon] = False
    brightness = picture.mean(axis=2)
    return ground & (brightness < SHADOW * np.quantile(brightness[ground], 0.9))


# ---------------------------------------------------------------------------------------------------------------------
# What should hold.
# ---------------------------------------------------------------------------------------------------------------------
def statements(table):
    """[(what should hold, whether it does), ...] of a table with the columns property, value and those of Measures."""
    # On a black background there is neither a horizon nor a shadow to see.
    seen = table[~((table.property == "bg_color_val") & (table.value == 0))]
    of = dict(iter(table.groupby("property")))
    others = {name: rows[rows.value != sampling.BASE[name]] for name, rows in of.items()}
    result = []
    for name in ("model", "rotation_z"):
        result.append((f"{name}: every value has an outline of its own", (others[name].outline < 0.9).all()))
        result.append((f"{name}: the background stays as it is", (of[name].background < 0.02).all()))
    for name in ("color_hue", "color_sat", "color_val"):
        result.append((f"{name}: the car changes", (others[name].car > 0.01).all()))
        result.append((f"{name}: the background does not", (of[name].background < 0.05 * of[name].car + 1e-4).all()))
    for name in ("bg_color_hue", "bg_color_sat", "bg_color_val"):
        result.append((f"{name}: the background changes", (others[name].background > 0.02).all()))
        # The car mirrors the ground, and gets light from it.
        result.append((f"{name}: the car far less", (of[name].car < 0.25 * of[name].background + 1e-4).all()))
    for name in sorted(set(of) - {"model", "rotation_z", "camera_loc_z"}):
        result.append((f"{name}: the outline stays as it is", (of[name].outline > 0.999).all()))
    heights = of["camera_loc_z"]
    there = np.array([camera.horizon(float(height)) for height in heights.value])
    result.append(("camera_loc_z: the horizon is where it should be", (abs(heights.horizon - there) < 0.006).all()))
    still = seen[seen.property != "camera_loc_z"]
    result.append(("all others: the horizon stays where it is", (still.horizon == still.horizon.iloc[0]).all()))
    result.append(("all: there is a shadow", (seen.shadow > 0.004).all()))
    result.append(("sun_elevation: the higher the brighter", (np.diff(of["sun_elevation"].brightness) > 0.02).all()))
    result.append(("sun_elevation: the lowest sun casts the longest shadow", of["sun_elevation"].shadow.idxmax()
                   == of["sun_elevation"].index[0]))  # fmt: skip
    sun = of["sun_rotation"]
    side = np.sin(np.radians(sun.value.astype(float)))  # > 0: the sun is on the right
    result.append(("sun_rotation: the shadow falls away from the sun", sun.shadow_x[side > 0.5].max()
                   < sun.shadow_x[side < -0.5].min()))  # fmt: skip
    return result
