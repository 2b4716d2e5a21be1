"""Write the similarity of every pair of networks' maps on every image, for your own statistics.

Reads: the comparisons that 2_compare_maps.py has saved.
Writes: results/<settings>/<protocol>/saliency/per_image_<dataset>.npz, with the arrays loss_a,
loss_b and fold of the pairs (as in pairs_<dataset>.csv), image_ids, and correlation and jsd of
each pair (rows) and image (columns).
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis.saliency import per_image_similarity

    for file in per_image_similarity.write_files(settings):
        print(f"wrote {file}")


if __name__ == "__main__":
    run_script(main)
