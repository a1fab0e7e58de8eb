"""Measures lesson 05's ablations and writes them to data/ablations.json.

    python tests/benchmarks/ablations.py [--steps 400] [--seeds 3]     (about 15 minutes on two CPU cores)

On photographs where DDPM_LESSONS_DATA finds them or they can be downloaded, on drawn flowers otherwise.
"""

import argparse
import json
import statistics
from pathlib import Path

from tqdm import tqdm

from ddpm_lessons.course.ablation import VARIANTS, ablate
from ddpm_lessons.data import flowers_or_drawn

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--out", default=Path(__file__).parents[2] / "data" / "ablations.json")
a = parser.parse_args()

pictures = flowers_or_drawn(18)
record = {
    "pictures": pictures.source,
    "steps": a.steps,
    "seeds": a.seeds,
    "held_out_loss": {},
    "training_loss": {},
}
for name in tqdm(VARIANTS):
    runs = [ablate(name, pictures, a.steps, seed) for seed in range(a.seeds)]
    record["held_out_loss"][name] = [round(r[0], 5) for r in runs]
    means = [[statistics.fmean(r[1][i : i + 50]) for r in runs] for i in range(0, a.steps, 50)]
    record["training_loss"][name] = [round(statistics.fmean(m), 5) for m in means]  # by 50 steps, over the seeds
    tqdm.write(f"{name:30} {record['held_out_loss'][name]}")
    Path(a.out).write_text(json.dumps(record, indent=1) + "\n")
