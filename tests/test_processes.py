"""Training in processes of its own: killed at any moment, and several of them at work on one run."""

import random
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import torch
from processes import TINY, squares

from ddpm_lessons.conditions import Cond
from ddpm_lessons.data import batches
from ddpm_lessons.training import load_run, train
from ddpm_lessons.training.files import load

SCRIPT = str(Path(__file__).with_name("processes.py"))
BATCH = batches(squares(10), TINY.batch, TINY.size, TINY.flip)


def command(*argv) -> list[str]:
    return [sys.executable, SCRIPT, "train", "tiny", *map(str, argv)]


def same(saved, run) -> None:
    """The saved run and one that was trained here: weights, average, moments and losses, bit by bit."""
    other = TINY.run(seed=5)
    load_run(saved, other)
    assert other.losses == run.losses and other.step == run.step
    for a, b in ((other.net, run.net), (other.ema, run.ema)):
        assert all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())
    for p, q in zip(other.net.parameters(), run.net.parameters()):
        assert all(torch.equal(v, run.optimisers[0].state[q][k]) for k, v in other.optimisers[0].state[p].items())


def test_a_run_killed_at_random_moments_goes_on_bit_equal(tmp_path):
    file, moments, steps = tmp_path / "tiny.run.safetensors", [], []
    for _ in range(3):  # it saves after every step: many of these moments fall into a save
        before = file.stat().st_mtime_ns if file.exists() else 0
        process = subprocess.Popen(
            command("--steps", 10**6, "--out", tmp_path, *["--resume"] * file.exists()),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not file.exists() or file.stat().st_mtime_ns == before:
            assert process.poll() is None, "training ended by itself"
            time.sleep(0.01)
        moments.append(random.uniform(0, 0.5))
        time.sleep(moments[-1])
        process.kill()
        process.wait()
        steps.append(load(file)[1]["step"])  # whole, whatever the moment
    assert 0 < steps[0] < steps[1] < steps[2], (moments, steps)
    last = steps[-1] + 3
    subprocess.run(command("--steps", last, "--out", tmp_path, "--resume"), check=True, capture_output=True)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["tiny.png", "tiny.run.safetensors", "tiny.safetensors"]
    whole = TINY.run()
    for _ in train(whole, BATCH, TINY.loss, last):
        pass
    same(file, whole)


def doubled(run, steps: int) -> None:
    """One process with the batches of two: both halves' pictures, times and noises, as the processes draw them."""
    second = lambda rng: torch.Generator().manual_seed(rng.initial_seed() + (1 << 40))  # noqa: E731
    others = {}

    def batch(rng):
        others["rng"] = second(rng)
        (a, c), (b, d) = BATCH(rng), BATCH(others["rng"])
        return torch.cat([a, b]), Cond(torch.cat([c.vec, d.vec]))

    def loss(net, x0, cond, rng):
        halves = zip(x0.chunk(2), cond.vec.chunk(2), (rng, others["rng"]))
        return sum(TINY.loss(net, x, Cond(c), r) for x, c, r in halves) / 2

    for _ in train(run, batch, loss, steps):
        pass


LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
LAUNCH += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
NOTEBOOK = """
import sys
import tarfile
sys.path.insert(0, {folder!r})
from accelerate import notebook_launcher
from processes import main
notebook_launcher(main, ({argv!r},), num_processes=2)
"""


@pytest.mark.parametrize("launcher", ["accelerate launch", "notebook_launcher"])
def test_two_processes_are_one_with_the_doubled_batch(launcher, tmp_path):
    argv = command("--steps", 6, "--out", tmp_path)
    if launcher == "accelerate launch":
        argv = LAUNCH + argv[1:]
    else:
        argv = [sys.executable, "-c", NOTEBOOK.format(folder=str(Path(SCRIPT).parent), argv=argv[2:])]
    out = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert out.returncode == 0, out.stderr[-2000:]
    assert out.stdout.count("2 processes") == 1 and out.stdout.count("look at") == 1  # only the first one speaks
    two, one = TINY.run(seed=3), TINY.run()
    load_run(tmp_path / "tiny.run.safetensors", two)
    doubled(one, 6)
    torch.testing.assert_close(two.losses, one.losses)
    assert len(set(one.losses)) == 6
    for a, b in zip(two.ema.parameters(), one.ema.parameters()):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_processes_that_fetch_at_once_fetch_once(tmp_path):
    """Three processes want the same archive: one downloads and unpacks it, the others wait and find the folder."""
    inside = tmp_path / "set"
    inside.mkdir()
    (inside / "a.txt").write_text("a")
    archive = tmp_path / "served.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(inside, "set")
    code = (
        "import sys, time, shutil; from pathlib import Path; from ddpm_lessons.data import download as d\n"
        "def slow(url, file, sha256):\n"
        "    print('fetched', flush=True); time.sleep(0.5); shutil.copy(url, file); return file\n"
        "d.download = slow\n"
        f"found = d.fetch(({str(archive)!r}, ''), Path({str(tmp_path / 'cache')!r}), 'set')\n"
        "assert (found / 'a.txt').read_text() == 'a'"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [p.communicate(timeout=60)[0] for p in running]
    assert [p.returncode for p in running] == [0, 0, 0] and "".join(said).count("fetched") == 1


def test_processes_that_compute_the_same_embeddings_compute_them_once(tmp_path):
    code = (
        "import time, torch; from pathlib import Path; from ddpm_lessons.text import cache\n"
        f"cache.cache_folder = lambda: Path({str(tmp_path)!r})\n"
        "def slow():\n"
        "    print('computed', flush=True); time.sleep(0.5); return {'vec': torch.ones(3)}\n"
        "torch.manual_seed(0)\n"
        "assert cache.cached('x', torch.nn.Linear(2, 2), ['a'], slow)['vec'].sum() == 3"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [p.communicate(timeout=60)[0] for p in running]
    assert [p.returncode for p in running] == [0, 0, 0] and "".join(said).count("computed") == 1
