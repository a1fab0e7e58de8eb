"""Pictures that speak to everyone: figures with alternative text, and sliders over figures made beforehand."""

import base64
import html
import io
from collections.abc import Callable, Iterator, Sequence

import ipywidgets
from IPython.display import DisplayHandle, display
from matplotlib.figure import Figure
from PIL import Image


def png(figure: Figure) -> str:
    """The figure as a PNG in base64, as notebooks store it."""
    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png")
    Image.open(full).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()  # 256 colours: noise takes a third of the bytes


def show(figure: Figure, alt: str, replace: DisplayHandle | None = None) -> DisplayHandle:
    """Show a figure under a cell; alt says in words what it shows. Pass the handle back to replace the picture."""
    if not alt.strip():
        raise ValueError("say in `alt` what the figure shows, for readers who cannot see it")
    bundle, metadata = {"image/png": png(figure), "text/plain": alt}, {"image/png": {"alt": alt}}
    if replace is None:
        return display(bundle, metadata=metadata, raw=True, display_id=True)
    replace.update(bundle, metadata=metadata, raw=True)
    return replace


def browse(figures: Sequence[Figure], names: Sequence[str], alt: str, start: int = 0) -> None:
    """A slider with a play button over figures made beforehand; names stand beside the slider.

    Nothing is computed while it moves, so that it follows the hand, on Colab too.
    """
    display(_player([_frame(f, f"{alt}, {n}") for f, n in zip(figures, names)], names, start))


def ask(
    make: Callable[[str], Iterator[tuple[Figure, str]]], first: str, button: str, notes: Callable[[str], Sequence[str]]
) -> None:
    """A line to type in and a button: what `make` yields is shown as it comes, then stays under a slider.

    make: text -> figures with a name each;  notes: text -> what to know of it;  an error is said beside the button.
    """
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
            said.value = "; ".join(["drag the slider back to the noise", *notes(text.value)])
        except (ValueError, OSError, RuntimeError) as e:  # a traceback would only reach the kernel's log
            said.value = str(e)
        finally:
            go.disabled = False

    go.on_click(press)
    display(ipywidgets.VBox([ipywidgets.HBox([text, go, said]), place]))


def _frame(figure: Figure, alt: str) -> str:
    return f'<img src="data:image/png;base64,{png(figure)}" alt="{html.escape(alt)}">'


def _player(frames: Sequence[str], names: Sequence[str], start: int) -> ipywidgets.VBox:
    slider = ipywidgets.IntSlider(start, 0, len(frames) - 1, readout=False, layout={"width": "400px"})
    play = ipywidgets.Play(start, min=0, max=len(frames) - 1, interval=250)
    ipywidgets.jslink((play, "value"), (slider, "value"))
    name, frame = ipywidgets.Label(names[start]), ipywidgets.HTML(frames[start])

    def move(change):
        name.value, frame.value = names[change.new], frames[change.new]

    slider.observe(move, "value")
    return ipywidgets.VBox([ipywidgets.HBox([play, slider, name]), frame])
