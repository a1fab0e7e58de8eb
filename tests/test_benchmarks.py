"""The benchmarks still fit the package: every name that they take from it is there, and two of them are run."""

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).with_name("benchmarks")
FILES = sorted(f for f in FOLDER.glob("*.py") if "ddpm_lessons" in f.read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_all_names_from_the_package_are_there(file):
    tree, modules, found = ast.parse(file.read_text()), {}, 0
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "ddpm_lessons":
            for name in node.names:
                try:
                    value = getattr(importlib.import_module(node.module), name.name)
                except AttributeError:
                    value = importlib.import_module(f"{node.module}.{name.name}")
                found += 1
                if isinstance(value, ModuleType):
                    modules[name.asname or name.name] = value
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert hasattr(modules[node.value.id], node.attr), f"{node.value.id}.{node.attr}"
    assert found


def test_the_benchmark_of_processes_takes_its_steps(tmp_path):
    spec = importlib.util.spec_from_file_location("two_processes", FOLDER / "processes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.work(1, tmp_path / "rate")
    assert float((tmp_path / "rate").read_text()) > 0


def test_the_trials_print_their_tables():
    said = subprocess.run([sys.executable, FOLDER / "trials.py"], check=True, capture_output=True, text=True).stdout
    assert "| cosine x0 |" in said and "| B: dropout 0 |" in said
