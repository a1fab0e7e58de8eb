"""What lesson 10 tells of photographs, which the course may not bundle, measured once; `sets.py` measures it again.

Features are EfficientNet-Lite0's. The photographs are 4,064 of the five flowers, shrunk to 32 px ("Flowers
Recognition", a superset of TF-Flowers). The samples are 400 of data/flowers.safetensors, 80 of each kind, drawn
as by tests/benchmarks/guidance.py: scale 2, 10 steps of DPM-Solver++(2M). The table takes the first 250 of them.
"""

from torch import Tensor, arange, tensor

# the seven sets with n = 250: Fréchet, kernel, precision, recall, inception score, share of the kind asked for
PHOTOGRAPHS = {
    "1 others": (306.059, -0.002, 0.648, 0.728, 19.849, 0.804),
    "2 memorised": (0.000, -0.023, 1.000, 1.000, 15.907, 0.780),
    "3 blurred": (373.759, 0.139, 0.700, 0.316, 15.044, 0.656),
    "4 tulips": (407.451, 0.148, 0.580, 0.432, 13.541, 0.704),
    "5 copies": (908.430, 0.489, 1.000, 0.000, 4.434, 0.800),
    "6 noise": (846.089, 1.140, 0.628, 0.000, 1.253, 0.196),
    "7 samples": (382.444, 0.173, 0.868, 0.088, 8.299, 0.764),
}
LONELY = 12  # of the 250 real photographs have a ball (k = 3) that holds a noise picture
MIRRORED = 8.4  # the median distance of a photograph and its mirror image

# distances to the nearest of the 4,064 photographs, counted in bins of 0.5 from 0 to 30 (97 photographs lie beyond)
_SAMPLES = """0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 0 2 0 5 2 9 9 5 17 13 11 21 30 16 13 11 18 20 13 21 18 14 9 15 11 17 7
5 5 12 13 11 7 5 9 2 1 0 1 0 1 0 0"""
_PHOTOGRAPHS = """12 0 4 6 4 0 2 0 0 0 0 2 2 4 2 2 4 8 15 18 16 24 41 37 41 79 78 84 87 114 92 119 102 134 138 150 125
153 148 160 127 160 146 158 143 147 129 127 107 105 110 78 94 84 55 65 34 24 38 29"""


def distances() -> tuple[Tensor, Tensor]:
    """To the nearest photograph, each in the middle of its bin: of the samples, and of photographs to the others."""
    middles = 0.25 + 0.5 * arange(60)
    return tuple(middles.repeat_interleave(tensor([int(k) for k in c.split()])) for c in (_SAMPLES, _PHOTOGRAPHS))
