"""The wheel holds all that a reader needs: installed outside the repository, it turns a prompt into pictures."""

import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]


def test_the_wheel_alone_samples_from_a_prompt(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT]
    subprocess.run(build, check=True, capture_output=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("ddpm_lessons-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", tmp_path / "site", wheel], check=True, cwd=tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import ddpm_lessons; from ddpm_lessons.__main__ import main\n"
        f"assert ddpm_lessons.__file__.startswith({str(tmp_path)!r})\n"
        "from ddpm_lessons.course import check\n"
        "sys.exit(main(['sample', '--prompt', 'a pink rose', '-n', '1', '--steps', '2', '--out', 'rose.png']))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)
    assert Image.open(tmp_path / "rose.png").size == (128, 128)
