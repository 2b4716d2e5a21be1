"""Saliency maps that are deleted once they are compared: the same comparisons, also after stops and for models that come later."""

import itertools
import shutil

import pytest

from dml_analysis.saliency import map_comparisons, saliency_maps
from dml_analysis.store import ResultStore
from tests import fake_data
from tests.conftest import SMALL, files_in, stop_at_call

MAPS, COMPARE = "saliency/1_compute_maps.py", "saliency/2_compare_maps.py"
IMAGES = {"images": 4, "noise_samples": 2, "batch_size": 2}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """One image in each chunk, and figures that show one image only."""
    monkeypatch.setattr(saliency_maps, "MAPS_PER_CHUNK", 1)
    monkeypatch.setattr(saliency_maps, "SHOWN_IMAGES", 1)


def chunks_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.npz"))


def saliency_of(settings):
    return settings.parent / "results" / settings.stem / "paper/saliency"


def pairs_of(settings):
    return saliency_of(settings) / "pairs_RenderedCars.csv"


def test_maps_need_not_be_kept(small, run_inside):
    """The comparisons and the CSV file are the same; only the maps of the shown image remain."""
    kept, deleted = (
        small(name, saliency=IMAGES | {"keep_maps": keep})
        for name, keep in (("kept", True), ("deleted", False))
    )
    for settings, script in itertools.product((kept, deleted), (MAPS, COMPARE)):
        run_inside(script, settings)
    assert pairs_of(kept).read_bytes() == pairs_of(deleted).read_bytes()
    comparisons = [saliency_of(settings) / "comparisons" for settings in (kept, deleted)]
    assert files_in(comparisons[0]) == files_in(comparisons[1])
    assert len(chunks_in(comparisons[0])) == 4
    assert len(chunks_in(saliency_of(kept) / "maps")) == 3 * 4
    remaining = chunks_in(saliency_of(deleted) / "maps")
    assert len(remaining) == 3 and all(name.endswith("/00000.npz") for name in remaining)
    assert "all compared saliency maps exist" in run_inside(MAPS, deleted)
    run_inside("saliency/4_plot_maps.py", deleted)


@pytest.mark.parametrize(
    "owner, function", [(map_comparisons, "compared"), (ResultStore, "discard")]
)
def test_a_stopped_run_goes_on(small, run_inside, monkeypatch, owner, function):
    """Stopped in the middle of a chunk, and before all of its maps are deleted."""
    settings = small(saliency=IMAGES | {"keep_maps": False})
    with monkeypatch.context() as patch:
        patch.setattr(owner, function, stop_at_call(2, getattr(owner, function)))
        with pytest.raises(SystemExit, match="stopped"):
            run_inside(MAPS, settings)
    assert len(chunks_in(saliency_of(settings) / "maps")) > 3
    run_inside(MAPS, settings)
    assert len(chunks_in(saliency_of(settings) / "maps")) == 3
    assert len(chunks_in(saliency_of(settings) / "comparisons")) == 4


def test_models_that_come_later(small, run_inside):
    """What has been compared stays; of deleted maps only those are made again that new pairs need."""
    settings = small(saliency=IMAGES | {"images": 2, "keep_maps": False})
    pairs = []
    for names in (["Whole", "Top"], ["Top"], ["Other"], ["Other", "Top"], []):
        run_inside(MAPS, settings, *(["--models", *names] if names else []))
        rows = fake_data.read_rows(pairs_of(settings))
        pairs.append({frozenset((row["loss_a"], row["loss_b"])) for row in rows})
    whole, top, other = map(frozenset, (["Whole"], ["Top"], ["Other"]))
    assert pairs[0] == pairs[1] == {whole, top, whole | top}
    assert pairs[2] == pairs[0] | {other} and pairs[3] == pairs[2] | {other | top}
    assert pairs[4] == pairs[3] | {other | whole}
    added = files_in(saliency_of(settings))
    shutil.rmtree(settings.parent / "results")
    run_inside(MAPS, settings)
    assert files_in(saliency_of(settings)) == added


def test_pairs_of_models_that_the_settings_leave_out_for_a_while(small, run_inside):
    settings = small(saliency=IMAGES)
    for script in (MAPS, COMPARE):
        run_inside(script, settings)
    comparisons = saliency_of(settings) / "comparisons"
    before, chunk = files_in(comparisons), comparisons / "RenderedCars/fold0/00000.npz"
    models = [
        {"name": name, "group": group, "network": f"tests.networks:{network}"}
        for name, group, network in SMALL[1:]
    ]
    chunk.unlink()
    run_inside(COMPARE, small(saliency=IMAGES, models=models))
    run_inside(COMPARE, small(saliency=IMAGES))
    assert files_in(comparisons) == before


def test_pairs_whose_maps_are_gone(small, run_inside, run_unfinished):
    """They stay in the CSV file; a pair that cannot be compared any more is named."""
    settings = small(saliency=IMAGES)
    for script in (MAPS, COMPARE):
        run_inside(script, settings)
    before = pairs_of(settings).read_bytes()
    shutil.rmtree(saliency_of(settings) / "maps/RenderedCars/all_folds/whole")
    run_inside(COMPARE, settings)
    assert pairs_of(settings).read_bytes() == before
    shutil.rmtree(saliency_of(settings) / "comparisons")
    assert "the maps of Whole are not complete" in run_unfinished(COMPARE, settings)
    assert len(fake_data.read_rows(pairs_of(settings))) == 3
