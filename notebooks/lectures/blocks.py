"""Prose in pieces: paragraphs, equations, lists, solutions, and the sentence that a paragraph begins with."""

import re
from typing import NamedTuple

from .content import MATH

KINDS = (  # how a block of each kind begins
    ("heading", r"#+ "),
    ("equation", r"\$\$|\$\\qquad"),
    ("list", r"[-*] |\d+\. "),
    ("table", r"\|"),
    ("code", r"```"),
    ("solution", r"<details"),
    ("picture", r"!\["),
)


class Block(NamedTuple):
    """A paragraph, heading, equation, list, table, piece of code, picture, or folded solution."""

    kind: str
    text: str


def blocks(markdown: str) -> list[Block]:
    """Split Markdown where blank lines do, but for those within code, equations and solutions."""
    found, lines, inside = [], [], ""

    def close():
        text = "\n".join(lines).strip("\n")
        if text.strip():
            kind = next((k for k, begins in KINDS if re.match(begins, text.lstrip())), "text")
            found.append(Block(kind, text))
        lines.clear()

    for line in markdown.split("\n"):
        if not inside:
            starts = next((k for k in ("equation", "code", "solution") if re.match(dict(KINDS)[k], line)), "")
            if starts or re.match(dict(KINDS)["heading"], line) or not line.strip():
                close()
            elif re.match(dict(KINDS)["list"], line) and lines and not re.match(dict(KINDS)["list"], lines[0]):
                close()
            inside = starts
            lines.append(line)
            ends = {"equation": line.count("$$") == 2 or not line.startswith("$$"), "solution": "</details>" in line}
            if re.match(dict(KINDS)["heading"], line) or ends.get(inside):
                close()
                inside = ""
        else:
            lines.append(line)
            ends = {"equation": "$$" in line, "code": line.startswith("```"), "solution": "</details>" in line}
            if ends[inside]:
                close()
                inside = ""
    close()
    return joined(found)


def joined(found: list[Block]) -> list[Block]:
    """Items with blank lines between them are one list; an indented paragraph belongs to the item above it."""
    one: list[Block] = []
    for b in found:
        if one and one[-1].kind == "list" and (b.kind == "list" or b.text.startswith("  ")):
            one[-1] = Block("list", one[-1].text + "\n\n" + b.text)
        else:
            one.append(b)
    return one


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph; dots within formulas, code, links, brackets, emphasis and names end none."""
    text = re.sub(r"\s*\n\s*", " ", paragraph.strip())
    hidden = re.sub(
        MATH + r"|`[^`]*`|\]\([^)]*\)|\b(?:e\.g|i\.e|cf|vs|al|Fig|No|Dr|St|approx)\.|\b[A-Z]\.",
        lambda m: ("]" if m[0].startswith("]") else "x") + "x" * (len(m[0]) - 1),
        text,
    )
    found, begin = [], 0
    for m in re.finditer(r"[.?!:](?:\*{1,2}|[\"”)])*\s+(?=[*\"“(\[]*[A-Zx$`])|$", hidden):
        part = hidden[begin : m.end()]
        if m.group().startswith(":") and len(part) < 160:
            continue  # a short "there is one thing:" says nothing without what follows
        odd = part.count("**") % 2 or part.replace("**", "").count("*") % 2 or part.count('"') % 2
        if m.end() < len(text) and (odd or part.count("(") != part.count(")") or part.count("[") != part.count("]")):
            continue
        if text[begin : m.end()].strip():
            found.append(text[begin : m.end()].strip())
        begin = m.end()
    return found


def lead(paragraph: str, enough: int = 150) -> str:
    """What a slide shows of a paragraph: its first sentence, and the one after a question; all where it is short."""
    found = sentences(paragraph)
    if sum(map(len, found)) <= enough:
        return " ".join(found)
    opens = re.search(r"\?[*\"”)]*$|^\*\*[^*]*\*\*$", found[0]) or len(found[0]) < 30  # a question, a heading in bold
    return " ".join(found[: 1 + bool(opens)])


def tail(paragraph: str, enough: int = 150) -> str:
    """What a slide shows of a paragraph before a formula: the sentence that leads to it; all where it is short."""
    found = sentences(paragraph)
    return " ".join(found if sum(map(len, found)) <= enough else found[-1:])


def shortened(b: Block, leads_on: bool = False) -> Block:
    """A block as a slide shows it: prose by a sentence, a long list by one for each item, all others as they are."""
    if b.kind == "text":
        return Block("text", tail(b.text) if leads_on else lead(b.text))
    if b.kind == "list" and lines(b) > 5:
        items = re.split(r"\n+(?=(?:[-*]|\d+\.) )", b.text)
        marks = [re.match(r"(?:[-*]|\d+\.) ", item)[0] for item in items]
        return Block("list", "\n".join(m + lead(item[len(m) :], 90) for m, item in zip(marks, items)))
    return b


def divided(b: Block, most: float) -> list[Block]:
    """A table, list or paragraph that takes more than `most` lines, in parts that do not; other blocks stay whole."""
    if b.kind == "table":
        head, *pieces = re.split(r"(?<=\|)\n(?!\|[-:| ]+\n)", b.text)
    elif b.kind == "list":
        head, pieces = "", re.split(r"\n+(?=(?:[-*]|\d+\.) )", b.text)
    else:
        head, pieces = "", sentences(b.text) if b.kind == "text" else [b.text]
    between, parts = " " if b.kind == "text" else "\n", []
    for piece in pieces:
        longer = Block(b.kind, parts[-1].text + between + piece) if parts else None
        if longer and lines(longer) <= most:
            parts[-1] = longer
        else:
            parts.append(Block(b.kind, between.join([head, piece] if head else [piece])))
    return parts if lines(b) > most and parts else [b]


def lines(b: Block, width: int = 84) -> float:
    """About how many lines of a slide a block takes.  width: characters in a line"""
    if b.kind == "equation":
        rows = 1 + b.text.count(r"\\") - b.text.count(r"\\,")
        tall = any(w in b.text for w in (r"\frac", r"\sum", r"\prod", r"\int", r"\under", r"\tfrac", r"\left"))
        return rows * (1.9 if tall else 1.2) + 0.8
    seen = re.sub(r"\]\([^)]*\)", "]", re.sub(r"\\[a-zA-Z]+", "x", b.text))  # links and commands take little room
    if b.kind == "text":
        return -(-len(seen) // width) + 0.5
    if b.kind == "table":
        cells = [[len(c) for c in row.split("|")] for row in seen.split("\n")]
        return sum(max(1, -(-sum(row) // 110)) for row in cells) * 1.05
    parts = [line for line in seen.split("\n") if line.strip()]
    if b.kind == "list":
        parts = re.split(r"\n(?=\s*(?:[-*]|\d+\.) )", seen)
        return sum(-(-len(p) // (width - 6)) + 0.3 for p in parts)
    return 0.8 * sum(-(-len(p) // 100) for p in parts) + 0.5  # code
