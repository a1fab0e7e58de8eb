"""Do the tests notice?  Plants small faults in the core and the training loop and counts how many the unit tests kill.

    python tests/mutants.py [--n 120] [--seed 0]     (make mutants: about 15 minutes on one core)

A fault is one change of one place: a number, a sign, a comparison, a default, a method left out, a check that never
speaks. Each is planted in a copy of the package, in a process of its own that imports PyTorch before, and the tests of
its module are run until one fails. Faults that cannot be noticed, because nothing changes, are listed with the reason.
"""

import argparse
import ast
import copy
import math
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = {  # module -> the tests that are about it, the quick ones first
    "schedules": ["schedules", "equations_02", "equations_07"],
    "forward": ["forward", "equations_02", "equations_03"],
    "predict": ["predict", "losses", "equations_07"],
    "conditions": ["conditions", "guidance"],
    "guidance": ["guidance", "equations_09"],
    "samplers": ["samplers", "equations_03", "equations_08"],
    "losses": ["losses", "equations_04", "equations_07"],
    "bound": ["losses", "equations_04"],
    "training/loop": ["train", "equations_06", "processes"],
    "training/run": ["train", "equations_06"],
    "cli/evaluate": ["systems"],
}
SAME = {  # faults that change nothing that can be seen, by the changed line -> why
    "number = run.seed * 1000003 - run.step + (process << 40)": "another numbering of the draws, as free of repeats",
    "number = run.seed * 2000006 + run.step + (process << 40)": "another numbering of the draws, as free of repeats",
    "torch.manual_seed(number + (2 << 50))": "another stream for dropout, as free of repeats",
    "straight = angle.sin() < 0.002": "arc and line differ by a few millionths there",
    "values = [_turn(run, net, opt, one, (x0, cond, rng), precision, accelerator) for opt, one in "
    "zip(run.optimisers, losses, strict=False)]": "their numbers were compared before",
}
SWAP = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
LEFT_OUT = {
    "clamp",
    "sqrt",
    "exp",
    "log",
    "log1p",
    "cumprod",
    "mean",
    "abs",
    "square",
    "eval",
    "train",
    "to",
    "zero_grad",
}


def faults(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """All places of a module where a fault can be planted, with its kind."""
    quiet = {
        id(inner) for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.JoinedStr) for inner in ast.walk(node)
    }
    quiet |= {id(inner) for node in ast.walk(tree) if isinstance(node, ast.arg) for inner in ast.walk(node)}  # types
    for node in ast.walk(tree):
        if id(node) in quiet:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            yield node, "number"
        elif isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAP:
            yield node, "operator"
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAP:
            yield node, "comparison"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
            yield node, "sign"
        elif isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise):
            yield node, "silence"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEFT_OUT:
            yield node, "left out"


class Plant(ast.NodeTransformer):
    """Changes the one node that was chosen."""

    def __init__(self, chosen: ast.AST, kind: str):
        self.chosen, self.kind = chosen, kind

    def visit(self, node):
        if node is not self.chosen:
            return self.generic_visit(node)
        new = copy.copy(node)
        if self.kind == "number":
            new.value = (
                not node.value
                if isinstance(node.value, bool)
                else node.value + 1
                if node.value in (0, 1)
                else node.value * 2
            )
        elif self.kind == "operator":
            new.op = SWAP[type(node.op)]()
        elif self.kind == "comparison":
            new.ops = [SWAP[type(node.ops[0])](), *node.ops[1:]]
        elif self.kind == "sign":
            return node.operand
        elif self.kind == "silence":
            new.test = ast.Constant(False)
        else:
            return node.func.value
        return new


def planted(source: str, k: int) -> tuple[str, str, str]:
    """The k-th fault of a module -> (the new source, the line before, the line after)."""
    tree = ast.parse(source)
    node, kind = list(faults(tree))[k]
    before = ast.unparse(tree).splitlines()
    after = ast.unparse(ast.fix_missing_locations(Plant(node, kind).visit(tree)))
    line = next(i for i, (a, b) in enumerate(zip(before, after.splitlines(), strict=False)) if a != b)
    return after, before[line].strip(), after.splitlines()[line].strip()


def noticed(package: Path, module: str, source: str, limit: float = math.inf) -> bool:
    """Whether a test fails when the module has this source, or they take more seconds; in a process of its own."""
    child = os.fork()
    if not child:
        os.chdir(package.parent)
        os.environ |= {"DDPM_LESSONS_DATA": "none", "OMP_NUM_THREADS": "1"}
        sys.stdout = sys.stderr = open(os.devnull, "w")
        (package / f"{module}.py").write_text(source)
        sys.path[:0] = [str(package.parent), str(ROOT / "tests")]
        import pytest

        files = [str(ROOT / "tests" / f"test_{name}.py") for name in TESTS[module]]
        code = 1
        try:
            code = pytest.main([*files, "-x", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}"])
        finally:
            os._exit(int(code))
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.05)
    os.kill(child, 9)  # a loop that never ends is noticed as well
    os.waitpid(child, 0)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--module", choices=TESTS, help="faults of this one alone")
    a = parser.parse_args()
    sources = {m: (ROOT / "ddpm_lessons" / f"{m}.py").read_text() for m in TESTS}
    places = [
        (m, k) for m, s in sources.items() for k in range(len(list(faults(ast.parse(s))))) if a.module in (None, m)
    ]
    chosen = random.Random(a.seed).sample(places, min(a.n, len(places)))
    import torch

    torch.set_num_threads(1)
    killed, survived, same = 0, [], []
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "ddpm_lessons"
        shutil.copytree(ROOT / "ddpm_lessons", package)
        os.symlink(ROOT / "data", Path(folder) / "data")
        limit = {}
        for module in {m for m, _ in chosen}:  # a test that fails anyway would notice everything
            begin = time.monotonic()
            if noticed(package, module, sources[module]):
                sys.exit(f"the tests of {module} fail without any fault: mend that first")
            limit[module] = 60 + 5 * (time.monotonic() - begin)
        for i, (module, k) in enumerate(chosen, 1):
            source, before, after = planted(sources[module], k)
            if after in SAME:
                same.append((module, before, after))
                continue
            found = noticed(package, module, source, limit[module])
            (package / f"{module}.py").write_text(sources[module])
            killed += found
            survived += [] if found else [(module, before, after)]
            print(f"{i:3} {'killed  ' if found else 'SURVIVED'} {module}: {before}  ->  {after}", flush=True)
    tried = killed + len(survived)
    print(f"\n{killed} of {tried} faults killed, {100 * killed / tried:.1f} %; of {len(places)} places, seed {a.seed}")
    for module, before, after in survived:
        print(f"  survived: {module}: {before}  ->  {after}")
    for module, before, after in same:
        print(f"  nothing changes: {module}: {before}  ->  {after}: {SAME[after]}")
    return killed < 0.95 * tried


if __name__ == "__main__":
    sys.exit(main())
