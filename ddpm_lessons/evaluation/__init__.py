"""How good are samples?  Features, distances with their floor, and a classifier."""

from .classifier import linear_classifier as linear_classifier
from .distances import frechet as frechet
from .distances import inception_score as inception_score
from .distances import kernel as kernel
from .distances import perceptual as perceptual
from .distances import precision_recall as precision_recall
from .features import Features as Features
from .features import efficientnet as efficientnet
from .features import inception as inception
from .yardstick import Distance as Distance
from .yardstick import Yardstick as Yardstick
