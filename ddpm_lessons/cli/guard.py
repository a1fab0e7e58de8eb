"""What keeps a training from losing anything: a folder of its own, ears for signals, no need of a terminal."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

from filelock import Timeout

from ..data.download import alone
from ..training.files import check_folder


@contextmanager
def reserved(file: Path) -> Iterator[None]:
    """Make the folder of a run's file, and keep another training of the same system away from it.

    Raises OSError when nothing can be written in it, ValueError when it is taken.
    """
    out = file.parent
    new = not out.exists()
    check_folder(out)  # said now, not after the training
    lock = alone(file)
    try:
        with suppress(NotImplementedError):  # some network drives know no locks
            lock.acquire(timeout=0)
        yield
    except Timeout as e:
        raise ValueError(f"another training is at work on {file}: name another --out") from e
    finally:
        if lock.is_locked:
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()
        if new:
            with suppress(OSError):  # it stays when something lies in it
                out.rmdir()


class Unheard:
    """A stream that goes on where nobody reads it any more: a terminal that was closed costs no training."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text: str) -> None:
        """Write what can be written."""
        with suppress(OSError):
            self.stream.write(text)

    def flush(self) -> None:
        """Bring it there."""
        with suppress(OSError):
            self.stream.flush()

    def __getattr__(self, name):
        return getattr(self.stream, name)


@contextmanager
def without_terminal() -> Iterator[None]:
    """Whatever is printed inside may get lost, and nothing else."""
    with redirect_stdout(Unheard(sys.stdout)), redirect_stderr(Unheard(sys.stderr)):
        yield


@contextmanager
def listening() -> Iterator[list[int]]:
    """A list that Ctrl-C, SIGTERM and a closing terminal fill: they are heard between two steps, so that no half step
    is saved.

    A second Ctrl-C stops at once.
    """
    stopped: list[int] = []
    closing = getattr(signal, "SIGHUP", None)  # Windows has none, and nohup wants it unheard

    def hear(number, frame):
        if stopped and number != closing:  # a closing terminal says it twice
            raise KeyboardInterrupt
        stopped.append(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    numbers += [closing] if closing and signal.getsignal(closing) != signal.SIG_IGN else []
    before = {number: signal.signal(number, hear) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
