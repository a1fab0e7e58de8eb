"""The table of faults on purpose: it has its rows, some of them hold, and one that does not is counted."""

import subprocess
import sys
from pathlib import Path

import stress
from faults import Fault, Seen

SCRIPT = str(Path(__file__).with_name("stress.py"))


def test_two_of_its_faults_end_as_they_should():
    argv = [sys.executable, SCRIPT, "--only", "a wrong checksum", "a foreign safetensors file"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 faults in" in done.stdout and "0 FAILED" in done.stdout and "and was removed" in done.stdout


def test_a_fault_that_does_not_is_seen():
    def lost(there):
        raise AssertionError("the weights are gone")

    assert stress.tried(Fault("x", lost)) == ("the weights are gone", "?", False)
    assert stress.tried(Fault("x", lambda there: 1 / 0))[2] is False
    assert stress.tried(Fault("x", lambda there: Seen(f"error: {there}/x"))) == ("error: DIR/x", "nothing", True)


def test_there_are_sixty():
    done = subprocess.run([sys.executable, SCRIPT, "--list"], capture_output=True, text=True)
    names = done.stdout.splitlines()
    assert len(names) == len(set(names)) >= 60
