"""The exercises of the lessons: what is right, and what each likely mistake would answer."""

from .lesson_01 import LESSON_01
from .lesson_02 import LESSON_02
from .lesson_03 import LESSON_03
from .lesson_04 import LESSON_04
from .lesson_05 import LESSON_05
from .lesson_06 import LESSON_06
from .lesson_07 import LESSON_07
from .lesson_08 import LESSON_08
from .lesson_09 import LESSON_09
from .lesson_10 import LESSON_10
from .lesson_11 import LESSON_11
from .lesson_12 import LESSON_12
from .lesson_13 import LESSON_13
from .lesson_14 import LESSON_14
from .lesson_15 import LESSON_15
from .lesson_16 import LESSON_16

EXERCISES = (
    LESSON_01
    | LESSON_02
    | LESSON_03
    | LESSON_04
    | LESSON_05
    | LESSON_06
    | LESSON_07
    | LESSON_08
    | LESSON_09
    | LESSON_10
    | LESSON_11
    | LESSON_12
    | LESSON_13
    | LESSON_14
    | LESSON_15
    | LESSON_16
)
