"""Words for networks: CLIP, and what is told of a picture."""

from .captioning import Text as Text
from .clip import Clip as Clip
from .clip import load_clip as load_clip
from .clip import tiny_clip as tiny_clip
from .clip import zero_shot as zero_shot
