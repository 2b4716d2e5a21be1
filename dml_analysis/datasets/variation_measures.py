"""Measures of how each property changes a rendered picture, and statements of what to expect.

Values of pictures are from 0 to 1, as stored in the file. A silhouette is True where the car is.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import ndimage

from dml_analysis.renderer import camera, sampling

MARGIN = 3  # pixels: the car's edge mixes car and background
SHADOW = 0.85  # of the brightness of fully lit ground; darker ground is shadow


class Measures(NamedTuple):
    """Measures of one picture, alone and against the base picture.

    Lengths are shares of the picture's side.
    """

    outline: float  # intersection over union of the two silhouettes; 1: the same outline
    car: float  # mean absolute difference over pixels that are car in both pictures
    background: float  # the same over pixels that are car in neither, except near the car
    brightness: float  # mean value of the picture
    horizon: float  # distance of the line between ground and background from the top
    shadow: float  # share of the picture that is in shadow
    shadow_x: float  # distance from the car's mean column to the shadow's, positive to the right


def measure(
    picture: Float[np.ndarray, "h w 3"],
    silhouette: Bool[np.ndarray, "h w"],
    base: Float[np.ndarray, "h w 3"],
    base_silhouette: Bool[np.ndarray, "h w"],
) -> Measures:
    """Return the Measures of a picture. Raise ValueError if the pictures differ in size."""
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
        shadow_x=(_mean_column(shadow) - _mean_column(silhouette)) / width,
    )


def _mean_column(region: Bool[np.ndarray, "h w"]) -> float:
    """Return the mean column of a region, NaN if it is empty."""
    return np.nonzero(region)[1].mean() if region.any() else np.nan


def horizon_row(picture: Float[np.ndarray, "h w 3"]) -> int:
    """Return the first row of the ground.

    It follows the sharpest step that the left and the right margin of the picture share.
    """
    width = picture.shape[1] // 12
    margins = np.stack([picture[:, :width], picture[:, -width:]])
    steps = np.abs(np.diff(np.median(margins, axis=2), axis=1)).sum(axis=2)  # (margins, rows)
    return int(steps.min(axis=0).argmax()) + 1  # a long shadow reaches only one margin


def shadow_of(
    picture: Float[np.ndarray, "h w 3"], silhouette: Bool[np.ndarray, "h w"], horizon: int
) -> Bool[np.ndarray, "h w"]:
    """Return which pixels are ground in shadow: clearly darker than most of the ground.

    `horizon` is the first row of the ground.
    """
    ground = ~ndimage.binary_dilation(silhouette, iterations=MARGIN)
    ground[:horizon] = False
    brightness = picture.mean(axis=2)
    return ground & (brightness < SHADOW * np.quantile(brightness[ground], 0.9))


# --------------------------------------------------------------------------------------------------
# Statements.
# --------------------------------------------------------------------------------------------------
def statements(table: pd.DataFrame) -> list[tuple[str, bool]]:
    """Return what the pictures should show, each statement with whether it holds.

    The columns of the table are property, value and the fields of Measures.
    """
    # A black background shows neither a horizon nor a shadow.
    visible = table[~((table.property == "bg_color_val") & (table.value == 0))]
    rows_of = dict(iter(table.groupby("property")))
    changed = {name: rows[rows.value != sampling.BASE[name]] for name, rows in rows_of.items()}
    result = []

    def expect(statement: str, holds: bool) -> None:
        result.append((statement, holds))

    for name in ("model", "rotation_z"):
        rows = rows_of[name]
        expect(f"{name}: every value has its own outline", (changed[name].outline < 0.9).all())
        expect(f"{name}: the background does not change", (rows.background < 0.02).all())
    for name in ("color_hue", "color_sat", "color_val"):
        rows = rows_of[name]
        expect(f"{name}: the car changes", (changed[name].car > 0.01).all())
        still = rows.background < 0.05 * rows.car + 1e-4
        expect(f"{name}: the background does not change", still.all())
    for name in ("bg_color_hue", "bg_color_sat", "bg_color_val"):
        rows = rows_of[name]
        expect(f"{name}: the background changes", (changed[name].background > 0.02).all())
        # The car reflects the ground and is lit by it.
        still = rows.car < 0.25 * rows.background + 1e-4
        expect(f"{name}: the car changes far less", still.all())
    for name in sorted(set(rows_of) - {"model", "rotation_z", "camera_loc_z"}):
        still = rows_of[name].outline > 0.999
        expect(f"{name}: the outline does not change", still.all())
    heights = rows_of["camera_loc_z"]
    expected = np.array([camera.horizon(float(height)) for height in heights.value])
    errors = abs(heights.horizon - expected)
    expect("camera_loc_z: the horizon is where geometry puts it", (errors < 0.006).all())
    horizons = visible[visible.property != "camera_loc_z"].horizon
    expect("all others: the horizon does not move", (horizons == horizons.iloc[0]).all())
    expect("all: there is a shadow", (visible.shadow > 0.004).all())
    elevations = rows_of["sun_elevation"]
    is_brighter = np.diff(elevations.brightness) > 0.02
    expect("sun_elevation: a higher sun is brighter", is_brighter.all())
    expect(
        "sun_elevation: the lowest sun casts the longest shadow",
        elevations.shadow.idxmax() == elevations.index[0],
    )
    sun = rows_of["sun_rotation"]
    side = np.sin(np.radians(sun.value.astype(float)))  # > 0: the sun is on the right
    expect(
        "sun_rotation: the shadow falls away from the sun",
        sun.shadow_x[side > 0.5].max() < sun.shadow_x[side < -0.5].min(),
    )
    return result
