"""Faults on purpose: what the user sees, and what was lost.

    python tests/stress.py [--only WORD ...] [--list]     (make stress: about six minutes on two CPU cores)

Each fault is a small function in tests/faults, with an expectation that can fail. Commands run in processes of their
own, and all that is written goes to a temporary folder.
"""

import argparse
import importlib
import os
import shutil
import sys
import tempfile
import textwrap
import time
import traceback
from pathlib import Path

WIDTHS = (34, 66, 24, 6)
GROUPS = ("training", "room", "weights", "downloads", "archives", "pictures", "folders", "prompts")


def row(*cells: str) -> str:
    """A row of the table, each cell folded to its column."""
    folded = [textwrap.wrap(c, w, break_long_words=True) or [""] for c, w in zip(cells, WIDTHS)]
    high = max(map(len, folded))
    lines = zip(*(f + [""] * (high - len(f)) for f in folded))
    return "\n".join("  ".join(part.ljust(w) for part, w in zip(line, WIDTHS)).rstrip() for line in lines)


def tried(fault) -> tuple[str, str, bool]:
    """One fault in an empty folder -> what the user sees, what was lost, whether that is as it should be."""
    there = Path(tempfile.mkdtemp(prefix="stress "))  # with a space: paths have them
    there.chmod(0o755)
    try:
        line, lost = fault.work(there)
        return line.replace(str(there), "DIR"), lost, True
    except AssertionError as e:
        where = traceback.extract_tb(e.__traceback__)[-1]
        what = str(e) or f"{where.line}, {Path(where.filename).name}:{where.lineno}"
        return what.replace(str(there), "DIR")[-900:], "?", False
    except Exception as e:
        where = traceback.extract_tb(e.__traceback__)[-1]
        return f"{type(e).__name__} at {Path(where.filename).name}:{where.lineno}: {e}"[:900], "?", False
    finally:
        shutil.rmtree(there, ignore_errors=True)


def main() -> int:
    """Print the table; 1 when a fault did not end as it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="WORD", nargs="+", help="those with one of these words in group or name")
    parser.add_argument("--list", action="store_true", help="print the names alone")
    a = parser.parse_args()
    os.environ |= {"DDPM_LESSONS_DATA": "none", "no_proxy": "*", "TQDM_DISABLE": "1"}
    import torch

    torch.set_num_threads(1)
    import faults

    chosen = []
    for group in GROUPS:
        before = len(faults.FAULTS)
        importlib.import_module(f"faults.{group}")
        new = faults.FAULTS[before:]
        chosen += [f for f in new if not a.only or any(w.lower() in f"{group}: {f.name}".lower() for w in a.only)]
    if a.list:
        print(*(f.name for f in chosen), sep="\n")
        return 0
    begin, failed = time.monotonic(), []
    print(row("fault", "what the user sees", "what was lost", ""), row(*("-" * w for w in WIDTHS)), sep="\n")
    for i, f in enumerate(chosen):
        if sys.stderr.isatty():
            print(f"{i + 1} of {len(chosen)}: {f.name}", end="\r", file=sys.stderr, flush=True)
        line, lost, ok = tried(f)
        print(row(f.name, line, lost, "ok" if ok else "FAILED"), flush=True)
        failed += [] if ok else [f.name]
    took = f"{(time.monotonic() - begin) / 60:.1f} min"
    print(f"\n{len(chosen)} faults in {took}: {len(chosen) - len(failed)} as they should be, {len(failed)} FAILED")
    print("".join(f"  FAILED: {name}\n" for name in failed), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
