"""python -m lectures slides | site | figures | handout | ready [NB ...]     (in notebooks/; NB: 02 03, all without)

slides   an offline reveal.js deck for each lesson, in build/slides
site     the course as static pages with players and search, in build/site
figures  every figure as SVG or PNG, every player as GIF, with captions, in build/figures
handout  notebooks for students, without solutions and outputs, in build/handout
ready    only fetches the libraries that decks and pages need
"""

import sys

from . import assets, builds
from .content import lessons

COMMANDS = {f.__name__: f for f in (builds.slides, builds.site, builds.figures, builds.handout)}


def main(argv: list[str]) -> int:
    """Build what is asked for and say where it is."""
    if argv == ["ready"]:
        assets.ready()
        return 0
    if not argv or argv[0] not in COMMANDS:
        print(__doc__)
        return 2
    try:
        print(COMMANDS[argv[0]](lessons(argv[1:])))
    except (ValueError, ConnectionError) as e:
        print(e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
