"""What the tests share: the repository root on the path, and a tiny rendered-cars project with trained networks."""

import itertools
import os
import runpy
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dml_analysis.datasets import image_digests, readers
from tests import fake_data
from tests.networks import make_trunk


def run_command(script, settings, *options):
    """Run a numbered script as a user does; returns (exit status, output, errors)."""
    command = [sys.executable, str(ROOT / script), "--settings", str(settings), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def succeed(script, settings):
    """The same, for a script that has to end well."""
    status, _, errors = run_command(script, settings)
    assert status == 0, f"{script}: {errors}"


def forget():
    """What a process remembers of images: after this, it is as a new one."""
    for function in (
        image_digests._entry,
        image_digests._content,
        readers._listed,
        readers._rendered,
        readers._own,
    ):
        function.cache_clear()


@pytest.fixture
def run_script(monkeypatch, capsys):
    """A function that runs a script inside this process, which spares it the imports; returns its output."""

    def run(script, *options):
        monkeypatch.setattr(sys, "argv", [script, *options])
        monkeypatch.setattr(sys, "path", [str((ROOT / script).parent), *sys.path])
        capsys.readouterr()
        forget()
        runpy.run_path(str(ROOT / script), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture
def run_inside(run_script):
    """The same for a script that takes a settings file."""
    return lambda script, settings, *options: run_script(
        script, "--settings", str(settings), *options
    )


@pytest.fixture
def fails(run_inside):
    """A function that runs a script, expects it to end in one line and exit status 1, and returns that line."""

    def run(script, settings, *options):
        with pytest.raises(SystemExit) as stop:
            run_inside(script, settings, *options)
        assert isinstance(
            stop.value.code, str
        )  # Python prints it to stderr and exits with status 1
        assert stop.value.code.startswith("error: ") and "\n" not in stop.value.code
        return stop.value.code

    return run


@pytest.fixture
def run_unfinished(run_inside, capsys):
    """A function that runs a script, expects exit status 3, and returns the line that says what is left."""

    def run(script, settings, *options):
        with pytest.raises(SystemExit) as stop:
            run_inside(script, settings, *options)
        line = capsys.readouterr().err.splitlines()[-1]
        assert stop.value.code == 3 and line.startswith("unfinished: ")
        return line

    return run


def built_once(tmp_path_factory, name, build):
    """The folder that build(folder) fills, once for all processes of a test run. Tests leave it as it is."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, done = root / name, root / f"{name}.done"
    with FileLock(root / f"{name}.lock"):
        if not done.exists():
            folder.mkdir()
            build(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with 96 cars, a settings file tiny.yaml and the networks that it trains."""

    def build(folder):
        fake_data.make_cars(folder / "cars", 96)
        make_trunk(folder)
        succeed("reality_check/2_train_models.py", fake_data.write_settings(folder))

    return built_once(tmp_path_factory, "trained", build)


def copied(project, folder):
    """Copy a project into a folder, hard links as hard links, and return the settings file of the copy."""
    copies = {}

    def copy(source, target):
        if Path(source).name == "trunk.pth":  # 40 MB that no test writes into
            return os.link(source, target)
        first = copies.setdefault(os.stat(source).st_ino, target)
        return shutil.copy2(source, target) if first == target else os.link(first, target)

    shutil.copytree(project, folder, dirs_exist_ok=True, copy_function=copy)
    return fake_data.write_settings(folder)


@pytest.fixture
def project(trained, tmp_path):
    """A copy of the trained folder that a test may break, with its settings file tiny.yaml."""
    copied(trained, tmp_path)
    return tmp_path


SMALL = [("Whole", "Ranking", "tiny"), ("Other", "Ranking", "tiny_too"), ("Top", "Classification", "top_rows")]  # fmt: skip


def small_settings(trained, folder, name="small", **changes):
    """A settings file for three tiny networks, whose maps take milliseconds, on the trained project's cars."""
    models = [
        {"name": name, "group": group, "network": f"tests.networks:{network}"}
        for name, group, network in SMALL
    ]
    paths = {each: str(folder / each) for each in ("models", "results", "figures")}
    paths["RenderedCars"] = str(trained / "cars")
    defaults = {"models": models, "paths": paths, "training": None}
    return fake_data.write_settings(folder, name, **defaults | changes)


@pytest.fixture
def small(trained, tmp_path):
    """A function that writes the settings file of three tiny networks: small(name="small", **changes)."""
    return lambda name="small", **changes: small_settings(trained, tmp_path, name, **changes)


@pytest.fixture(scope="session")
def tiles(tmp_path_factory):
    """A folder whose sub-folder tiles is a dataset of one's own."""

    def build(folder):
        fake_data.make_classes(folder / "tiles")

    return built_once(tmp_path_factory, "tiles", build)


@pytest.fixture(scope="session")
def trained_tiles(tiles, tmp_path_factory):
    """A folder with the networks of write_tiles_settings's settings, trained without a stop."""

    def build(folder):
        settings = fake_data.write_tiles_settings(tiles, folder)
        succeed("reality_check/2_train_models.py", settings)

    return built_once(tmp_path_factory, "trained_tiles", build)


@pytest.fixture(scope="module")
def whole(trained_tiles, tmp_path_factory):
    """A copy of these networks, into which the tests of a module may write."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copytree(trained_tiles, folder, dirs_exist_ok=True)
    return folder


def run_together(count, settings, scripts, pause=0.3):
    """Run scripts one after the other in several processes, with pauses of up to so many seconds between their steps.

    All have to end with status 0. Returns script -> the chunks that existed when it ended, for each process.
    """
    paused = [sys.executable, str(ROOT / "tests" / "paused_runs.py")]
    processes = [
        subprocess.Popen(
            [*paused, str(seed), str(pause), *scripts, "--", "--settings", settings],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(count)
    ]
    with ThreadPoolExecutor(count) as pool:  # a full pipe would stop a process
        outputs, errors = zip(*pool.map(subprocess.Popen.communicate, processes))
    assert [process.returncode for process in processes] == [0] * count, errors
    lines = [[line.split() for line in text.splitlines()] for text in outputs]
    return [{line[1]: set(line[2:]) for line in each if line[:1] == ["exist"]} for each in lines]


AFTER_TRAINING = ["reality_check/4_measure_gains.py", "reality_check/5_plot_training.py"]
SCRIPTS = [
    "reality_check/1_check_inputs.py",
    "reality_check/3_evaluate_models.py",
    "saliency/1_compute_maps.py",
    "saliency/2_compare_maps.py",
    "saliency/3_make_tables.py",
    "saliency/4_plot_maps.py",
    "properties/2_embed_cars.py",
    "properties/3_score_properties.py",
    "properties/4_make_tables.py",
    "properties/5_plot_embeddings.py",
    "properties/6_probe_features.py",
    "embedding_space/1_measure_spaces.py",
    "embedding_space/2_correlate_measures.py",
    "embedding_space/3_plot_spaces.py",
    "report/1_list_results.py",
]


def run_all(settings, scripts):
    """Run numbered scripts in one process of their own, which spares all but the first their imports."""
    code = (
        "import runpy, sys\n"
        "settings, *scripts = sys.argv[1:]\n"
        "for script in scripts:\n"
        "    sys.argv = [script, '--settings', settings]\n"
        "    runpy.run_path(script, run_name='__main__')\n"
    )
    command = [sys.executable, "-c", code, settings, *(ROOT / script for script in scripts)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(settings).parent)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


@pytest.fixture(scope="session")
def finished(trained, tmp_path_factory):
    """The trained project after all its scripts, run from another folder."""

    def build(folder):
        run_all(copied(trained, folder), [*AFTER_TRAINING, *SCRIPTS])

    return built_once(tmp_path_factory, "finished", build)


@pytest.fixture
def copy(finished, tmp_path):
    copied(finished, tmp_path)
    return tmp_path


RECORDS = ("run.json", "files.json", "images.json")  # they hold times


def snapshot(folder):
    """Path -> content of a folder's results; records of runs are none."""
    found = [
        path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in RECORDS
    ]
    return {path: path.read_bytes() for path in found}


def files_in(folder):
    """Path in the folder -> content of its results; records of runs are none."""
    return {
        path.relative_to(folder).as_posix(): content for path, content in snapshot(folder).items()
    }


def stop_at_call(number, function):
    """The function, but its call of that number stops the run as Ctrl-C does."""
    calls = itertools.count(1)

    def stopping(*arguments, **keywords):
        if next(calls) == number:
            raise KeyboardInterrupt
        return function(*arguments, **keywords)

    return stopping


def first_embedder(folder):
    return (
        folder
        / "models/rendered_cars_contrastive/Test50_50_Partitions4_0/saved_models/embedder_best.pth"
    )
