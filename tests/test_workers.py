"""Several workers at a script: torchrun's, and the tasks of a job array."""

import subprocess
import sys
from pathlib import Path

import pytest

from dml_analysis import cluster, workers
from dml_analysis.config import ClusterSettings, load_settings
from dml_analysis.errors import InputError
from tests import fake_data, small_script
from tests.conftest import snapshot
from tests.small_script import settings_of


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No variables of whoever has started the tests."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def expected(tmp_path):
    """The results of one process."""
    settings = settings_of(tmp_path / "alone")
    subprocess.run(
        [sys.executable, small_script.__file__, settings.paths["results"]],
        check=True,
        capture_output=True,
    )
    return list(snapshot(settings.results).values())


def run_small(folder, *options, start=(sys.executable,)):
    command = [*start, small_script.__file__, str(folder), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


# ---------------------------------------------------------------------------------------------------------------------
# Places.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "rank, count, place",
    [("1", "4", (1, 4)), ("4", "4", (0, 1)), ("x", "4", (0, 1)), (None, "4", (0, 1))],
)
def test_places(monkeypatch, rank, count, place):
    for name, value in (("RANK", rank), ("WORLD_SIZE", count)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert workers.place() == place


@pytest.mark.parametrize("count", [1, 3, 7, 10])
def test_every_worker_begins_elsewhere_and_has_all(monkeypatch, count):
    todo, begun = list(range(20)), set()
    for rank in range(count):
        for name, value in workers.environment(rank, count).items():
            monkeypatch.setenv(name, value)
        own = workers.own_share_first(todo)
        assert sorted(own) == todo and own == [*todo[own[0] :], *todo[: own[0]]]
        begun.add(own[0])
    assert (
        len(begun) == count
        and max(b - a for a, b in zip(sorted(begun), [*sorted(begun)[1:], 20])) <= 20 // count + 1
    )


def test_the_gpu_of_a_worker(monkeypatch):
    """torchrun's workers see all GPUs, and each takes its own; others take the first that they see."""
    import torch

    from dml_analysis.networks import modules

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    for rank, device in ((None, "cuda:0"), ("1", "cuda:1"), ("2", "cuda"), ("x", "cuda:0")):
        if rank is not None:
            monkeypatch.setenv("LOCAL_RANK", rank)
        assert str(modules.device_of("auto")) == device
        assert str(modules.device_of("cuda:1")) == "cuda:1"


def test_torchrun(tmp_path, expected):
    settings = settings_of(tmp_path / "shared")
    start = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
    ended = run_small(settings.paths["results"], "--slow", 0.5, start=start)
    assert ended.returncode == 0, ended.stderr
    assert sorted(line for line in ended.stdout.splitlines() if line.startswith("making")) == [
        "making 0",
        "making 1",
        "making 2",
    ]
    assert ended.stdout.count("wrote ") == 1  # by the first worker, which waits for the others
    assert list(snapshot(settings.results).values()) == expected


# ---------------------------------------------------------------------------------------------------------------------
# Job arrays.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "code, failed", [("", False), ("sys.exit(3)", False), ("sys.exit('error: x')", True)]
)
def test_what_a_task_does(tmp_path, code, failed):
    """The script runs with its own command line and place. Status 3 is no failure: other tasks are still at work."""
    script = tmp_path / "script.py"
    script.write_text(
        f"import os, sys\nprint(sys.argv[1], os.environ['RANK'], os.environ['WORLD_SIZE'])\n{code}\n"
    )
    call = (
        f"from dml_analysis.cluster import ScriptTask; ScriptTask([{str(script)!r}, '--x'], 1, 3)()"
    )
    ended = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True)
    assert ended.stdout == "--x 1 3\n" and (ended.returncode != 0) is failed
    assert ("RuntimeError" in ended.stderr and "error: x" in ended.stderr) is failed


def test_a_task_that_is_put_back_into_the_queue(tmp_path, monkeypatch):
    """submitit ends it by status -1, and gets the same task again."""
    script = tmp_path / "script.py"
    script.write_text("import sys\nsys.exit(-1)\n")
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(sys, "argv", [])
    task = cluster.ScriptTask([str(script)], 0, 1)
    with pytest.raises(SystemExit) as end:
        task()
    assert end.value.code == -1 and task.checkpoint().function == task


def test_what_submitit_is_told():
    """What is not set is left to the cluster; submitit knows all of the names."""
    import submitit

    least = cluster.parameters(ClusterSettings(), 8)
    assert (
        least["timeout_min"] == 24 * 60
        and least["gpus_per_node"] == 1
        and least["slurm_array_parallelism"] == 8
    )
    assert (
        not {
            "mem_gb",
            "slurm_partition",
            "slurm_account",
            "slurm_setup",
            "slurm_additional_parameters",
        }
        & least.keys()
    )
    some = ClusterSettings(tasks=3, hours=0.5, gpus=0, cpus=2, memory=16, partition="gpu", account="lab",
                            setup=["module load cuda"], sbatch={"qos": "long"})  # fmt: skip
    told = cluster.parameters(some, 3)
    assert told["timeout_min"] == 30 and told["mem_gb"] == 16 and "gpus_per_node" not in told
    assert told["slurm_setup"] == ["module load cuda"]
    for each in (least, told):
        known = submitit.AutoExecutor._valid_parameters() | {
            f"slurm_{name}" for name in submitit.SlurmExecutor._valid_parameters()
        }
        assert each.keys() <= known | {"name"}


def test_without_a_cluster(project, fails, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    before = snapshot(project)
    message = fails("saliency/1_compute_maps.py", project / "tiny.yaml", "--executor", "slurm")
    assert (
        message
        == "error: --executor slurm: no sbatch on this machine; run this where jobs can be submitted"
    )
    assert all(snapshot(project)[path] == content for path, content in before.items())
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    assert "pip install" in fails(
        "saliency/1_compute_maps.py", project / "tiny.yaml", "--executor", "slurm"
    )


@pytest.mark.parametrize(
    "block, message",
    [({"tasks": 0}, r"cluster\.tasks: 0"), ({"setup": "module load"}, r"cluster\.setup"), ({"nodes": 2}, r"cluster\.nodes"),
     ({"sbatch": {"--qos": "x"}}, r"cluster\.sbatch")],
)  # fmt: skip
def test_settings_of_clusters(tmp_path, block, message):
    with pytest.raises(InputError, match=message):
        load_settings(fake_data.write_settings(tmp_path, cluster=block))
