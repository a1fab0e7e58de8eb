"""Pictures that speak to everyone: figures with alternative text, and sliders over figures made beforehand."""

import base64
import html
import io
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import ipywidgets
from IPython.display import DisplayHandle, display
from matplotlib.figure import Figure
from PIL import Image

DPI = 160  # of stored pictures: crisp on a wall
EXPORT = "DDPM_LESSONS_EXPORT"  # set where slides and pages are built: nobody will be there to ask a kernel
FRAMES = "application/vnd.ddpm-lessons.frames+json"  # a player's pictures and names, for such pages


class Shown(NamedTuple):
    """What `show` put under a cell: the handles of the picture and of its caption, to replace them by."""

    picture: DisplayHandle
    caption: DisplayHandle

    def _ipython_display_(self) -> None:
        """Nothing: the last line of a cell would show the handles themselves."""


def png(figure: Figure) -> str:
    """The figure as a PNG in true colour, in base64, as notebooks store it."""
    drawn, content = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    Image.open(drawn).convert("RGB").save(content, format="png", optimize=True)  # a tenth smaller than with opacity
    return base64.b64encode(content.getvalue()).decode()


def svg(figure: Figure) -> str | None:
    """The figure as a drawing that stays sharp at any size; None where it holds pixels or too many points."""
    if any(ax.images for ax in figure.axes):
        return None
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    return drawn.getvalue() if len(drawn.getvalue()) < 400_000 else None


def show(figure: Figure, caption: str, replace: Shown | None = None) -> Shown:
    """Show a figure under a cell with its caption below, which is the alternative text as well.

    Pass what came back to `replace` to put another picture in its place. Raises ValueError without a caption.
    """
    if not caption.strip():
        raise ValueError("say in the caption what the figure shows; readers who cannot see it have nothing else")
    # as wide on a screen as its inches ask for, however many dots it has
    how = {"image/png": {"alt": caption, "width": round(figure.get_figwidth() * 96)}}
    picture = {"image/png": png(figure), "text/plain": caption}
    if EXPORT in os.environ and (drawing := svg(figure)):
        picture["image/svg+xml"] = drawing
    below = {"text/markdown": f"*{caption}*", "text/plain": caption}
    if replace is None:
        return Shown(
            display(picture, metadata=how, raw=True, display_id=True), display(below, raw=True, display_id=True)
        )
    replace.picture.update(picture, metadata=how, raw=True)
    replace.caption.update(below, raw=True)
    return replace


def browse(figures: Sequence[Figure], names: Sequence[str], caption: str, start: int = 0) -> None:
    """A slider with a play button over figures made beforehand; names stand beside the slider.

    Nothing is computed while it moves, so that it follows the hand, on Colab too.
    """
    _show_player([_frame(f, f"{caption}, {n}") for f, n in zip(figures, names)], names, start)
    display({"text/markdown": f"*{caption}*", "text/plain": caption}, raw=True)


def ask(
    make: Callable[[str], Iterator[tuple[Figure, str]]],
    first: str,
    button: str,
    notes: Callable[[str], Sequence[str]],
    end: str = "drag the slider back to the noise",
) -> None:
    """A line to type in and a button, or Enter: what `make` yields is shown as it comes, then stays under a slider.

    make: text -> figures with a name each;  notes: text -> what to know of it;  end: what stands beside the button
    when all is there. An error is said there, too.
    """
    if EXPORT in os.environ:  # what the first text gives
        made = [(_frame(figure, f"{first}, {name}"), f"{first}, {name}") for figure, name in make(first)]
        return _show_player(*map(list, zip(*made)), len(made) - 1)

    text = ipywidgets.Text(first, layout={"width": "400px"})
    go, said, place = ipywidgets.Button(description=button), ipywidgets.Label(), ipywidgets.VBox()

    def press(_):
        go.disabled, said.value, place.children, frames, names = True, "one moment ...", [], [], []
        try:
            for figure, name in make(text.value):
                frames.append(_frame(figure, f"{text.value}, {name}"))
                names.append(name)
                place.children, said.value = [ipywidgets.HTML(frames[-1])], name
            place.children = [_player(frames, names, len(frames) - 1)]
            said.value = "; ".join([end, *notes(text.value)])
        except (ValueError, OSError, RuntimeError) as e:  # a traceback would only reach the kernel's log
            said.value = str(e)
        finally:
            go.disabled = False

    go.on_click(press)
    text.on_msg(lambda _, content, buffers: press(go) if content.get("event") == "submit" and not go.disabled else None)
    display(ipywidgets.VBox([ipywidgets.HBox([text, go, said]), place]))


def _frame(figure: Figure, alt: str) -> str:
    width = round(figure.get_figwidth() * 96)
    return f'<img src="data:image/png;base64,{png(figure)}" width="{width}" alt="{html.escape(alt)}">'


def _show_player(frames: Sequence[str], names: Sequence[str], start: int) -> None:
    if EXPORT in os.environ:
        data = {"frames": list(frames), "names": list(names), "start": start}
        display({FRAMES: data, "text/plain": f"{len(frames)} pictures"}, raw=True)
    else:
        display(_player(frames, names, start))


def _player(frames: Sequence[str], names: Sequence[str], start: int) -> ipywidgets.VBox:
    slider = ipywidgets.IntSlider(start, 0, len(frames) - 1, readout=False, layout={"width": "400px"})
    play = ipywidgets.Play(start, min=0, max=len(frames) - 1, interval=250)
    ipywidgets.jslink((play, "value"), (slider, "value"))
    name, frame = ipywidgets.Label(names[start]), ipywidgets.HTML(frames[start])

    def move(change):
        name.value, frame.value = names[change.new], frames[change.new]

    slider.observe(move, "value")
    return ipywidgets.VBox([ipywidgets.HBox([play, slider, name]), frame])
