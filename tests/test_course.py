"""The notebooks keep their promises: every equation tested, exercises that work, pictures described, one address."""

import ast
import copy
import re
from collections import Counter
from itertools import combinations

import nbformat
import pytest

import notebooks as tool
from ddpm_lessons.course.exercise import alike, call, verdict
from ddpm_lessons.course.exercises import EXERCISES

LESSONS = {p.stem: nbformat.read(p, 4) for p in tool.NOTEBOOKS}
each_lesson = pytest.mark.parametrize("name", LESSONS)
each_exercise = pytest.mark.parametrize("number", EXERCISES)


def prose(name: str) -> str:
    return "\n".join(c.source for c in LESSONS[name].cells if c.cell_type == "markdown")


def code(name: str) -> list[str]:
    return [c.source for c in LESSONS[name].cells if c.cell_type == "code"]


def words(f: ast.FunctionDef) -> set[str]:
    """All names that a function uses."""
    return {n.id for n in ast.walk(f) if isinstance(n, ast.Name)} | {
        n.attr for n in ast.walk(f) if isinstance(n, ast.Attribute)
    }


def test_there_are_lessons():
    assert len(LESSONS) >= 7 and list(LESSONS)[0] == "00_start_here"


@each_lesson
def test_every_displayed_equation_has_an_id_and_every_id_a_test(name):
    shown = re.findall(r"\$\$(.+?)\$\$", prose(name), re.S)
    ids = [re.findall(r"\\tag\{(\d+\.\d+)\}", equation) for equation in shown]
    assert all(len(i) == 1 for i in ids), f"no id, or two: {[e for e, i in zip(shown, ids) if len(i) != 1]}"
    ids = [i[0] for i in ids]
    assert max(Counter(ids).values(), default=1) == 1, "an id stands twice"
    assert all(i.startswith(f"{int(name[:2])}.") for i in ids)
    paths = [tool.ROOT / "tests" / f for f in ("checking.py", f"test_equations_{name[:2]}.py")] if ids else []
    tests = [n for p in paths for n in ast.parse(p.read_text()).body if isinstance(n, ast.FunctionDef)]
    asserts = {"assert_close"} | {f.name for f in tests if any(isinstance(n, ast.Assert) for n in ast.walk(f))}
    asserts |= {f.name for f in tests if asserts & words(f)}  # a helper that asserts
    for i in ids:
        mine = [f for f in tests if f.name.startswith("test_" + i.replace(".", "_") + "_")]
        assert mine, f"({i}) has no test"
        assert asserts & (words(mine[0]) | {mine[0].name}), f"({i}): its test asserts nothing"


IN_PREPARATION = {"13", "15", "16"} - {name[:2] for name in LESSONS}  # their code and tests came first


def test_the_ids_that_the_package_names_stand_in_the_notebooks():
    ids = {i for name in LESSONS for i in re.findall(r"\\tag\{(\d+\.\d+)\}", prose(name))}
    for path in (tool.ROOT / "ddpm_lessons").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                named = re.findall(r"\((\d+\.\d+)\)", ast.get_docstring(node) or "")
                named = [i for i in named if i.split(".")[0] not in IN_PREPARATION]
                assert set(named) <= ids, f"{path.name} {node.name} names {set(named) - ids}, which no lesson shows"


@each_lesson
def test_a_lesson_has_exercises_a_player_and_build_then_import(name):
    text = "\n".join(code(name))
    if name.startswith("00"):
        return
    assert len(re.findall(r"check\.exercise\(", text)) >= 3
    assert "browse(" in text and "check.same(" in text
    assert "Papers" in prose(name) and "Before this" in prose(name) and "Time" in prose(name)


@each_lesson
def test_every_picture_speaks_and_nothing_is_noisy(name):
    pictures = 0
    for cell in LESSONS[name].cells:
        for o in cell.get("outputs", []):
            assert o.output_type != "error" and o.get("name") != "stderr"
            if "image/png" in o.get("data", {}):
                pictures += 1
                assert o.metadata["image/png"]["alt"].strip()
            text = o.get("text", "") + str(o.get("data", {}).get("text/plain", ""))
            assert not re.search(r"/(home|root|tmp|usr|content)/", text), "a path of one machine"
            assert "DisplayHandle" not in text, "what `show` gives back is not for readers"
    assert pictures


@each_lesson
def test_the_badge_and_the_first_cell_name_the_repository(name):
    fresh = tool.with_badge(copy.deepcopy(LESSONS[name]), name + ".ipynb")
    assert fresh.cells[0].source == LESSONS[name].cells[0].source, "run: make badges"
    assert fresh.cells[1].source == LESSONS[name].cells[1].source, "run: make badges"


def test_each_exercise_stands_in_its_lesson():
    asked = [n for name in LESSONS for n in re.findall(r'check\.exercise\("([\d.]+)"', "\n".join(code(name)))]
    assert sorted(asked) == sorted(EXERCISES)


@each_exercise
def test_the_solution_is_right_and_the_stub_is_not_written_yet(number, capsys):
    name = next(n for n in LESSONS if int(n[:2]) == int(number.split(".")[0]))
    imports = next(c for c in code(name)[1:] if "import" in c)
    lines = [line for line in ast.parse(imports).body if isinstance(line, ast.Import | ast.ImportFrom)]
    space = {}
    exec(compile(ast.Module(lines, []), name, "exec"), space)
    stub = next(c for c in code(name) if f'check.exercise("{number}"' in c)
    exec(stub, space)
    assert "not yet" in capsys.readouterr().out
    solution = re.search(rf"<summary>Solution {re.escape(number)}</summary>.*?```python\n(.+?)```", prose(name), re.S)
    assert solution, "no folded solution"
    exec(solution[1], space)
    function = re.search(rf'check\.exercise\("{re.escape(number)}", (\w+)\)', stub)[1]
    assert verdict(EXERCISES[number], space[function]) == "right!"


@each_exercise
def test_each_named_mistake_gets_its_hint(number):
    e = EXERCISES[number]
    assert len(e.wrong) >= 2
    for hint, wrong in e.wrong.items():
        assert verdict(e, wrong) == f"not quite - {hint}"


@each_exercise
def test_no_two_answers_agree_by_accident(number):
    """On at least two draws each mistake differs from the right answer, and on one at least from each other mistake."""
    e = EXERCISES[number]
    inputs = e.inputs()
    answers = {hint: [call(f, args) for args in inputs] for hint, f in {"right": e.right, **e.wrong}.items()}
    for (a, these), (b, those) in combinations(answers.items(), 2):
        differ = sum(not alike([x], [y]) for x, y in zip(these, those, strict=True))
        assert differ >= (min(2, len(inputs)) if a == "right" else 1), f"{a!r} and {b!r} agree"


def test_what_learners_also_do(capsys):
    e = EXERCISES["2.1"]
    assert "shape" in verdict(e, lambda x, beta, eps: x[0])
    assert "stopped with ZeroDivisionError" in verdict(e, lambda x, beta, eps: 1 / 0)
    assert "wanted is a tensor" in verdict(e, lambda x, beta, eps: "x")
    assert "where" in verdict(e, lambda x, beta, eps: x)
    assert "not yet" in verdict(e, lambda x, beta, eps: None)
    from ddpm_lessons.course import check

    with pytest.raises(ValueError, match="there is no exercise '9.9'"):
        check.exercise("9.9", print)

    def twice(x):
        return 2 * x

    def doubled(x):
        return x + x

    calls_the_package = lambda x: x + x  # noqa: E731
    check.same(twice, doubled, 2.0)
    doubled.__module__ = calls_the_package.__module__ = "__main__"  # as in a notebook
    check.same(twice, doubled, 2.0)
    check.same(twice, calls_the_package, 2.0)
    here, *others = capsys.readouterr().out.splitlines()
    assert here.startswith("same as test_course.") and here.endswith("doubled")
    assert others == ["same as doubled", "same as the package's"]
    with pytest.raises(AssertionError, match="your twice and .* differ: 4 where 8 is wanted"):
        check.same(twice, lambda x: x**3, 2.0)


def test_conda_takes_its_packages_from_pyproject():
    assert "      - -e .[lab,test]" in (tool.ROOT / "environment.yml").read_text().splitlines()


def test_the_readme_names_every_lesson():
    text = (tool.ROOT / "README.md").read_text()
    assert all(f"`{name}`" in text for name in LESSONS)


def test_each_bundled_file_has_its_record():
    text = (tool.ROOT / "data" / "README.md").read_text()
    files = {p.name for p in (tool.ROOT / "data").iterdir()} - {"README.md"}
    assert "flowers.safetensors" in files and all(f"| `{name}` |" in text for name in files)
    assert sum((tool.ROOT / "data" / name).stat().st_size for name in files) < 90e6


def test_what_a_wheel_takes_along():
    setup = (tool.ROOT / "pyproject.toml").read_text()
    folders = {p.parent.relative_to(tool.ROOT).as_posix() for p in (tool.ROOT / "ddpm_lessons").rglob("__init__.py")}
    assert all(f'"{folder.replace("/", ".")}"' in setup for folder in folders)
    assert '"ddpm_lessons.bundled" = "data"' in setup


@each_lesson
def test_nothing_was_left_to_fill_in_and_links_lead_somewhere(name):
    text = re.sub(r"`[^`]*`|\$[^$]*\$", "", prose(name))
    assert not re.findall(r"\b[A-Z]{3,}_[A-Z]+\b|\bTODO\b", text)
    for link in re.findall(r"\]\(([^)#]+)\)", prose(name)):
        assert link.startswith("https://") or (tool.ROOT / "notebooks" / link).exists(), link


def test_the_readme_clones_from_the_one_address():
    assert tool.clone() in (tool.ROOT / "README.md").read_text(), "run: make badges"
