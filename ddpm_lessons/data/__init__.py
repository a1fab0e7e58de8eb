"""Pictures, what they show, and batches of them."""

from .batches import Tell as Tell
from .batches import batches as batches
from .batches import cropped as cropped
from .coco import coco as coco
from .drawn import drawn as drawn
from .files import Pictures as Pictures
from .files import bundled as bundled
from .files import held_out as held_out
from .files import picture as picture
from .sets import CIFAR10 as CIFAR10
from .sets import FLOWERS as FLOWERS
from .sets import STL10 as STL10
from .sets import celeba as celeba
from .sets import cifar10 as cifar10
from .sets import digits as digits
from .sets import digits_or_drawn as digits_or_drawn
from .sets import flowers as flowers
from .sets import flowers_or_drawn as flowers_or_drawn
from .sets import stl10 as stl10
from .wordings import worded as worded
