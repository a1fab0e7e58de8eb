"""From a network and a batch to a trained network: the loop, the run, its files, its device."""

from .device import device as device
from .device import fast_precision as fast_precision
from .files import load_run as load_run
from .files import save_run as save_run
from .loop import Log as Log
from .loop import train as train
from .run import Run as Run
from .run import ema_of as ema_of
