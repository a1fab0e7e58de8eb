"""Plots give figures back, and nothing is shown without words for those who cannot see it."""

import base64
import io

import matplotlib
import pytest
import torch
from PIL import Image

from ddpm_lessons.course import plots, widgets
from ddpm_lessons.course.diagrams import draw
from ddpm_lessons.samplers import Step

matplotlib.use("agg")


def drawable(figure):
    """The figure can be drawn; returns its size in pixels."""
    return Image.open(io.BytesIO(base64.b64decode(widgets.png(figure)))).size


def shown(figure):
    return [ax for ax in figure.axes if ax.has_data()]


@pytest.fixture
def displayed(monkeypatch):
    """What was handed to the notebook: (args, keywords) of each call."""
    calls = []
    monkeypatch.setattr(widgets, "display", lambda *a, **k: calls.append((a, k)) or "handle")
    return calls


@pytest.mark.parametrize("C", [1, 3])
def test_pictures_have_an_axes_each(C):
    figure = plots.pictures(torch.rand(7, C, 4, 4) * 2 - 1, titles=["one", "two"], columns=4)
    assert len(figure.axes) == 8 and len(shown(figure)) == 7
    assert [ax.get_title() for ax in figure.axes[:3]] == ["one", "two", ""]
    assert drawable(figure)[0] > 100


def test_minus_1_is_black_and_1_is_white():
    x = torch.stack([torch.full((3, 2, 2), v) for v in (-1.0, 0.0, 1.0, 5.0)])
    values = [float(ax.images[0].get_array().mean()) for ax in plots.pictures(x).axes]
    assert values == [0.0, 0.5, 1.0, 1.0]


def steps(n, B=2):
    return [Step(n - 1 - i, torch.full((B, 1, 4, 4), 1.0), torch.full((B, 1, 4, 4), -1.0)) for i in range(n)]


def test_a_film_shows_first_and_last_moments_of_each_picture():
    figure = plots.film(steps(20), n=5)
    assert len(shown(figure)) == 10
    assert figure.axes[0].get_title() == "t = 19" and figure.axes[4].get_title() == "t = 0"


def test_a_film_of_guesses_has_two_rows():
    figure = plots.film(steps(20), n=5, guess=True)
    assert [float(ax.images[0].get_array().mean()) for ax in shown(figure)] == [1.0] * 5 + [0.0] * 5


def test_curves_are_named_and_told_apart_without_colour():
    lines = {"a": [1, 2, 3], "b": torch.tensor([3.0, 2.0, 1.0])}
    figure = plots.curves([1, 2, 3], lines, "t", "y", log="xy", title="T")
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]
    assert len({line.get_linestyle() for line in ax.lines}) == 2
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("t", "y", "T")
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert drawable(figure)


def test_training_shows_the_loss_and_its_running_mean():
    (ax,) = plots.training([2.0] * 50 + [1.0] * 50).axes
    raw, mean = ax.lines
    assert len(raw.get_ydata()) == 100
    assert mean.get_ydata()[0] == 2 and mean.get_ydata()[-1] == 1


@pytest.mark.parametrize("n", [1, 2, 30])
def test_training_may_show_samples_beside_it_from_the_first_step(n):
    figure = plots.training([1.0] * n, torch.rand(5, 1, 4, 4))
    assert len(figure.axes) == 2 and drawable(figure)


def test_points_are_rows_and_columns():
    figure = plots.points([[torch.randn(9, 2)] * 3] * 2, ["a", "b", "c"], ["above", "below"])
    assert len(figure.axes) == 6
    assert [ax.get_title() for ax in figure.axes[:3]] == ["a", "b", "c"]
    assert [figure.axes[i].get_ylabel() for i in (0, 3)] == ["above", "below"]


def test_plots_leave_matplotlibs_settings_alone():
    before = dict(matplotlib.rcParams)
    plots.panels(1, 2)
    assert dict(matplotlib.rcParams) == before


def test_colours_are_six_different_ones():
    assert len(set(plots.COLOURS)) == 6


def test_show_puts_a_caption_below_the_picture_and_into_its_alternative_text(displayed):
    assert widgets.show(plots.panels(1, 1)[0], "an empty plot") == ("handle", "handle")
    ((picture,), how), ((below,), _) = displayed
    assert how["metadata"]["image/png"] == {"alt": "an empty plot", "width": 336} and how["raw"]
    assert picture["text/plain"] == "an empty plot" and below["text/markdown"] == "*an empty plot*"
    assert base64.b64decode(picture["image/png"]).startswith(b"\x89PNG")


def test_pictures_are_stored_crisp_and_in_true_colour():
    x = torch.linspace(-1, 1, 3 * 64 * 64)[torch.randperm(3 * 64 * 64)].view(1, 3, 64, 64)
    image = Image.open(io.BytesIO(base64.b64decode(widgets.png(plots.pictures(x, pixels=True, side=2)))))
    assert image.size == (320, 320) and len(set(image.convert("RGB").getdata())) > 1000


@pytest.mark.parametrize("caption", ["", "  \n"])
def test_show_refuses_a_picture_without_words(caption, displayed):
    with pytest.raises(ValueError, match="say in the caption what the figure shows"):
        widgets.show(plots.panels(1, 1)[0], caption)
    assert not displayed


def test_show_replaces_a_picture_with_its_words(displayed):
    class Handle:
        def update(self, bundle, metadata=None, raw=False):
            self.got = bundle, metadata, raw

    there = widgets.Shown(Handle(), Handle())
    assert widgets.show(plots.panels(1, 1)[0], "new", replace=there) is there
    bundle, metadata, raw = there.picture.got
    assert metadata["image/png"]["alt"] == bundle["text/plain"] == "new" and raw and not displayed
    assert there.caption.got[0]["text/markdown"] == "*new*"


def test_rows_of_a_grid_have_heads_and_pixels_are_squares_where_asked():
    figure = plots.pictures(torch.zeros(4, 1, 8, 8), ["a", "b"], columns=2, rows=["up", "down"], pixels=True)
    assert [figure.axes[i].get_ylabel() for i in (0, 2)] == ["up", "down"]
    assert figure.axes[0].images[0].get_interpolation() == "nearest"
    assert plots.pictures(torch.zeros(1, 1, 8, 8)).axes[0].images[0].get_interpolation() == "bicubic"


def test_what_diagrams_are_made_of():
    figure, ax = draw.sheet(6, 2)
    draw.circle(ax, 1, 1, "$x_0$")
    draw.box(ax, 4, 1, "a net")
    draw.arrow(ax, (1.4, 1), (3.4, 1), "$q$", bend=0.2)
    assert [t.get_text() for t in ax.texts] == ["$x_0$", "a net", "$q$"] and len(ax.patches) == 3
    assert ax.texts[2].get_position()[1] > 1.18 and drawable(figure)


def browsed(displayed, **kw):
    figures = [plots.panels(1, 1)[0] for _ in range(3)]
    for k, figure in enumerate(figures):
        figure.axes[0].plot([0, k])
    widgets.browse(figures, ["t = 0", "t < 1", "t = 2"], 'a "noisy" flower', **kw)
    ((box,), _) = displayed[0]
    (play, slider, name), frame = box.children[0].children, box.children[1]
    return play, slider, name, frame


def test_every_frame_of_a_slider_has_its_words(displayed):
    _, slider, name, frame = browsed(displayed)
    frames = []
    for k, words in enumerate(["t = 0", "t &lt; 1", "t = 2"]):
        slider.value = k
        assert f'alt="a &quot;noisy&quot; flower, {words}"' in frame.value
        assert name.value == ["t = 0", "t < 1", "t = 2"][k]
        frames.append(frame.value)
    assert len(set(frames)) == 3


def test_a_slider_starts_where_it_is_told_and_plays_all_frames(displayed):
    play, slider, name, frame = browsed(displayed, start=2)
    assert slider.value == play.value == 2 and name.value == "t = 2" and "t = 2" in frame.value
    assert slider.max == play.max == 2 and slider.min == play.min == 0


def asked(displayed, make):
    widgets.ask(
        make, "a rose", "Make flowers", lambda prompt: ["no training text had the word red"] * ("red" in prompt)
    )
    ((box,), _) = displayed[0]
    (text, button, said), place = box.children[0].children, box.children[1]
    return text, button, said, place


def test_a_prompt_becomes_frames_as_they_come_and_then_a_slider(displayed):
    seen = []

    def make(prompt):
        for k in range(3):
            seen.append((prompt, said.value, button.disabled, len(place.children)))
            figure = plots.panels(1, 1)[0]
            figure.axes[0].plot([0, k])
            yield figure, f"t = {2 - k}"

    text, button, said, place = asked(displayed, make)
    assert text.value == "a rose" and button.description == "Make flowers" and not place.children
    text.value = 'a "red" rose'
    button.click()
    assert [s[0] for s in seen] == ['a "red" rose'] * 3
    assert [s[1:] for s in seen] == [("one moment ...", True, 0), ("t = 2", True, 1), ("t = 1", True, 1)]
    assert said.value == "drag the slider back to the noise; no training text had the word red"
    assert not button.disabled
    (_, slider, name), frame = place.children[0].children[0].children, place.children[0].children[1]
    assert slider.value == 2 and name.value == "t = 0" and 'alt="a &quot;red&quot; rose, t = 0"' in frame.value
    slider.value = 0
    assert name.value == "t = 2" and "t = 2" in frame.value


def test_what_show_gives_back_is_not_shown_below_the_picture(displayed):
    from IPython.core.formatters import IPythonDisplayFormatter

    assert IPythonDisplayFormatter()(widgets.show(plots.panels(1, 1)[0], "nothing")) is True  # it showed itself


def test_enter_does_what_the_button_does(displayed):
    made = []

    def make(prompt):
        made.append(prompt)
        yield plots.panels(1, 1)[0], "t = 0"

    text, button, said, place = asked(displayed, make)
    text._handle_custom_msg({"event": "submit"}, [])
    assert made == ["a rose"] and place.children
    text._handle_custom_msg({"event": "something else"}, [])
    button.disabled = True  # while it is at work
    text._handle_custom_msg({"event": "submit"}, [])
    assert made == ["a rose"]


@pytest.mark.parametrize("error", [ValueError, ConnectionError, RuntimeError])
def test_what_cannot_be_made_is_said_beside_the_button(error, displayed):
    def make(prompt):
        if prompt == "bad":
            raise error("prompts are a list of texts")
        yield plots.panels(1, 1)[0], "t = 0"

    text, button, said, place = asked(displayed, make)
    button.click()
    assert place.children
    text.value = "bad"
    button.click()  # and the other prompt's picture is gone
    assert said.value == "prompts are a list of texts" and not place.children and not button.disabled


def test_a_film_of_one_moment():
    assert len(plots.film([Step(5, torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))], n=1).axes) == 1
