"""Two networks, a folder of images, and no settings: how alike do they see, and what do they sort images by?

Run it from the repository's top folder: python -m examples.two_networks
"""

from pathlib import Path

import pandas as pd

from dml_analysis.metrics.nr_precision import nr_precision
from dml_analysis.networks.efficientnet_lite import lite0_160, lite2
from dml_analysis.networks.embedding import embeddings_of
from dml_analysis.saliency.network_comparison import compare_networks


def main(folder=Path("data/sample_cars"), maps=8, noise_samples=12):
    (first, first_transform), (second, second_transform) = lite0_160(), lite2()
    table = pd.read_csv(folder / "samples.csv", index_col="frame")
    images = [folder / "images" / f"{frame}.jpg" for frame in table.index]
    found = compare_networks(
        (first, second),
        (first_transform, second_transform),
        images[:maps],
        noise_samples=noise_samples,
    )
    print(
        f"correlation of maps {found.between.correlation:.2f}, divergence {found.between.jsd:.3f}"
    )
    print(
        f"the same network with other noise {found.noise_ceilings[0].correlation:.2f}, {found.noise_ceilings[1].correlation:.2f}"
    )
    print(f"random networks {found.random_weights_baseline.correlation:.2f}")
    embeddings = embeddings_of(first, first_transform, images)
    print(nr_precision(embeddings, table).nr_precision.round(2))
    return found


if __name__ == "__main__":
    main()
