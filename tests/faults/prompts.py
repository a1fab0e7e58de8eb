"""Faults of prompts, of numbers and of where pictures go: anything may stand on a command line."""

import os
import signal
import time
from pathlib import Path

import torch
from PIL import Image

from ddpm_lessons.cli import sample as command_sample
from ddpm_lessons.systems import sampling, save_weights

from . import TEXT, TINY, Seen, begin, command, ended, fault, fine, main, one_line, real, wait_for
from .places import full, limited_files, read_only
from .training import no_memory

PROMPTS = {
    "10,000 characters": "a pink rose " * 833,
    "one word of 10,000 characters": "rose" * 2500,
    "right to left": "وردة حمراء جميلة שושנה",
    "emoji": "🌹👩🏽‍🌾🏳️‍🌈 ❤️",
    "shell signs": "$(touch robbed) `touch robbed`; rm -rf / && echo 'x' \"y\" | > < * ? ! \\ # ~ %s {0}",
    "control signs": "a \x1b[31mred\x1b[0m rose\x07\x08\x7f\u202e",
    "Windows' line ends": "a pink rose\r\n",
    "combining signs": "z̷̢̧a̶l̴g̵o̸ rose" + "\u0301" * 200,
    "HTML and templates": "<b>a rose</b> &amp; {{rose}} <|endoftext|> <|startoftext|>",
    "other scripts": "玫瑰 роза τριαντάφυλλο गुलाब 장미",
}
EMPTY = ("", " ", "\t\r\n", "\u3000")


def weights(there: Path) -> Path:
    """A tiny system's weights."""
    save_weights(there / "w.safetensors", TINY, TINY.run().net, 1)
    return there / "w.safetensors"


def sample(there: Path, *argv, **how):
    """`sample` of two pictures, two steps."""
    out = [] if "--out" in " ".join(map(str, argv)) else ["--out", there / "g.png"]
    return command(there, "sample", weights(there), "-n", 2, "--steps", 2, *argv, *out, **how)


@fault(f"prompts: {', '.join(PROMPTS)}")
def odd_prompts(there: Path) -> Seen:
    line = ""
    for kind, prompt in PROMPTS.items():
        argv = ["sample", TEXT, "-n", 1, "--steps", 1, "--prompt", prompt, "--out", there / "g.png"]
        said = command(there, *argv)
        fine(said, "1 pictures in")
        assert Image.open(there / "g.png").size[0] >= 128, kind
        assert all(len(row) < 300 for row in said.out.splitlines()), f"{kind}: a line of {len(said.out)} characters"
        assert "\x1b" not in said.out and not list(there.rglob("robbed"))
        line = said.out.splitlines()[0] if kind.startswith("one word") else line
        (there / "g.png").unlink()
    return Seen(line)


@fault("prompts without a word, and bytes that are no text")
def no_prompt(there: Path) -> Seen:
    for prompt in (*EMPTY, " " * 10_000):
        argv = ["sample", TEXT, "-n", 1, "--steps", 1, "--prompt", prompt, "--out", there / "g.png"]
        line = one_line(command(there, *argv), "a word in each")
        assert len(line) < 300
    argv = [
        "sample",
        TEXT,
        "-n",
        1,
        "--steps",
        1,
        "--prompt",
        os.fsdecode(b"a \xff\xfe rose"),
        "--out",
        there / "g.png",
    ]
    return Seen(one_line(command(there, *argv), "UTF-8"))


@fault("the same prompt with and without line ends and capitals is the same picture")
def same_prompt(there: Path) -> Seen:
    files = []
    for prompt in ("a pink rose", "a pink rose\r\n", "  A Pink\tROSE "):
        files.append(there / f"{len(files)}.png")
        fine(command(there, "sample", TEXT, "-n", 1, "--steps", 1, "--prompt", prompt, "--out", files[-1]))
    assert len({f.read_bytes() for f in files}) == 1
    return Seen("one picture")


@fault("numbers beyond all bounds")
def numbers(there: Path) -> Seen:
    for argv in (["--seed", 10**30], ["--seed", -(2**63) - 1], ["--steps", 10**30], ["--steps", -1]):
        line = one_line(sample(there, *argv), "should lie")
    for scale in ("nan", "inf", "1e300"):
        one_line(sample(there, "--scale", scale), "--scale")
    for n, word in ((0, "-n"), (-5, "-n"), (10**13, "smaller -n"), (10**30, "too large")):
        one_line(sample(there, "-n", n), word)
    one_line(command(there, "train", "tiny", "--seed", 2**64, "--out", there / "runs"), "--seed should lie")
    one_line(command(there, "train", "tiny", "--batch", 10**15, "--out", there / "runs"), "smaller --batch")
    assert not (there / "g.png").exists()
    fine(command(there, "train", "tiny", "--seed", -(10**12), "--steps", 1, "--out", there / "runs"))
    return Seen(line)


@fault("pictures to names with emoji, right-to-left, shell signs, a line end, and bytes that are no text")
def odd_outs(there: Path) -> Seen:
    for name in (
        "🌹.png",
        "ورد.png",
        "$(touch robbed) 'a' \"b\";.png",
        "a\nb.png",
        os.fsdecode(b"\xff.png"),
        "x" * 240 + ".png",
    ):
        said = sample(there, "--out", there / name)
        fine(said, "2 pictures in")
        assert Image.open(there / name).size[0] >= 128
    assert not list(there.rglob("robbed"))
    fine(sample(there, "--out=-x.png"), "2 pictures in -x.png")
    one_line(sample(there, "--out", there / ("x" * 300 + ".png")), "x" * 300, "too long")
    return Seen(fine(sample(there, "--out", there / "🌹.png")))


@fault("--out is a folder, with and without a picture's name")
def out_folder(there: Path) -> Seen:
    (there / "a.png").mkdir()
    (there / "b").mkdir()
    (there / "b" / "0000.txt").write_text("mine")
    for folder in ("a.png", "b", "new/"):
        fine(sample(there, "--out", f"{there}/{folder}"))
        assert Image.open(there / folder / "0001.png").size == (8, 8)
    assert (there / "b" / "0000.txt").read_text() == "mine"
    return Seen(one_line(sample(there, "--film", "--out", there / "a.png"), "should be a picture file"))


@fault("--out is another kind of file, or lies behind a file")
def out_file(there: Path) -> Seen:
    (there / "thesis.txt").write_text("mine")
    line = one_line(sample(there, "--out", there / "thesis.txt"), "should be a picture file")
    one_line(sample(there, "--out", there / "thesis.txt" / "g.png"), "nothing can be written in")
    assert (there / "thesis.txt").read_text() == "mine"
    return Seen(line)


def noticing(file: Path) -> None:
    """Make a file as soon as sampling begins."""
    right = sampling.samples
    sampling.samples = lambda *a, **how: (file.write_text("x"), right(*a, **how))[1]


@fault("pictures to a read-only folder")
def out_read_only(there: Path) -> Seen:
    sampled, noticed = there / "sampled", lambda: noticing(there / "sampled")
    with read_only(there / "locked") as folder:
        line = one_line(sample(there, "--out", folder / "g.png", before=noticed), "nothing can be written in")
        one_line(sample(there, "--film", "--out", folder / "g.png"), "nothing can be written in")
    assert not sampled.exists(), "found out after the sampling"
    return Seen(line)


@fault("a full disk while a picture is written, over an earlier one")
def picture_full(there: Path) -> Seen:
    with full(there, 64) as disk:
        out = (disk or there) / "g.png"
        Image.new("RGB", (8, 8), "red").save(out)
        before = out.read_bytes()
        if disk:
            (disk / "ballast").write_bytes(bytes(48 << 10))
        limit = (lambda: None) if disk else lambda: limited_files(4)
        for more in ([], ["--film"]):
            line = one_line(sample(there, "--out", out, *more, before=limit), "could not write", "unharmed")
            assert out.read_bytes() == before and not list(out.parent.glob("*.part"))
    return Seen(line)


@fault("kill -9 and Ctrl-C while sampling, over an earlier picture")
def killed(there: Path) -> Seen:
    file, out, err = weights(there), there / "out", there / "err"
    fine(sample(there))
    before = (there / "g.png").read_bytes()
    argv = ["sample", file, "-n", 64, "--steps", 50, "--seed", 9, "--out", there / "g.png"]

    def work() -> int:
        noticing(there / "sampled")
        return main(*argv)

    for number, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):
        (there / "sampled").unlink(missing_ok=True)
        pid = begin(work, out, err)
        wait_for((there / "sampled").exists)
        time.sleep(0.1)
        os.kill(pid, number)
        said = ended(pid, out, err)
        assert said.code == code and "Traceback" not in said.err, said
        assert (there / "g.png").read_bytes() == before
    return Seen(said.lines[-1])


@fault("out of a graphics card's memory while sampling")
def card_full(there: Path) -> Seen:
    def mocked():
        sampling.samples = lambda *a, **how: no_memory(None)

    return Seen(one_line(sample(there, before=mocked), "out of memory", "smaller -n"))


@fault("pictures that come out as NaN")
def nan(there: Path) -> Seen:
    def mocked():
        net = TINY.build()
        with torch.no_grad():
            for p in net.parameters():
                p.fill_(3e38)
        command_sample.opened = lambda weights: (TINY, net)

    return Seen(one_line(sample(there, before=mocked), "NaN"))


@fault("closed stdout: `list | head -1`, `--help | head -1`")
def head(there: Path) -> Seen:
    for argv in (["list"], ["sample", "--help"]):
        said = real(*argv, shell="| head -1")
        assert said.err == "" and said.code == 0, said
    said = real("list", shell="| true")
    assert said.err == "" and said.code == 0, said
    return Seen(said.out.strip() or "nothing more than asked for")


@fault("a locale that is not UTF-8")
def locale(there: Path) -> Seen:
    env = dict(LC_ALL="C", LANG=None, PYTHONCOERCECLOCALE="0", PYTHONUTF8="0", PYTHONIOENCODING=None)
    fine(real("evaluate", "--help", **env), "chet", "precision")
    fine(real("evaluate", "--help", **env | dict(PYTHONIOENCODING="ascii")), "Fr?chet")
    said = real("sample", TEXT, "-n", 1, "--steps", 1, "--out", there / "🌹.png", **env)
    fine(said, "1 pictures in")
    assert (there / "🌹.png").exists()
    said = real("sample", TEXT, "-n", 1, "--steps", 1, "--prompt", "a 🌹 rosé", "--out", there / "g.png", **env)
    assert said.code in (0, 1) and "Traceback" not in said.err, said.err[-600:]
    return Seen("Fr?chet, where the terminal has no é")
