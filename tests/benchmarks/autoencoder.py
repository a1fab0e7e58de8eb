"""What does an autoencoder's round trip lose?  Decibels on held-out photographs, distances beside their floor.

    python tests/benchmarks/autoencoder.py [WEIGHTS] [-n 1000]     (about 3 minutes on two CPU cores; the photographs)

The distance is that of n photographs' round trips to n others; its floor is that of the n themselves.
"""

import argparse

from ddpm_lessons.data import bundled, held_out
from ddpm_lessons.evaluation import Yardstick, efficientnet
from ddpm_lessons.systems import open_weights
from ddpm_lessons.systems.autoencoder import middle, psnr, round_trip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="?", default=bundled("autoencoder.safetensors"))
    parser.add_argument("-n", type=int, default=1000)
    a = parser.parse_args()
    system, net = open_weights(a.weights)
    pictures = system.pictures()
    x = middle(pictures.x, system.size)
    out = x[held_out(pictures)]
    print(f"{psnr(out, round_trip(net, out)):.2f} dB on {len(out)} held-out pictures")
    measure = Yardstick(x, a.n, efficientnet())
    print(measure(round_trip(net, x[measure.order[a.n : 2 * a.n]])))


if __name__ == "__main__":
    main()
