"""Whole systems: each is its data, its network, its training and its sampling as one value."""

from .diffusion import Diffusion as Diffusion
from .registry import bundled as bundled
from .registry import open_weights as open_weights
from .registry import save_weights as save_weights
from .registry import system as system
from .sampling import samples as samples
