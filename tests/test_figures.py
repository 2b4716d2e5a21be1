"""Files of figures, and their fonts: what the usual one lacks comes from another, or is said to be missing."""

import warnings
from pathlib import Path

import matplotlib
import pytest
from matplotlib import font_manager
from matplotlib.text import Text

from dml_analysis import figures
from dml_analysis.config import load_settings

OWN_FONTS = str(Path(matplotlib.get_data_path()))  # those that come with matplotlib


@pytest.fixture(autouse=True)
def fonts(monkeypatch):
    """Only matplotlib's own fonts, whatever the machine has; and nothing is remembered of others."""
    manager = font_manager.fontManager
    own = [font for font in manager.ttflist if font.fname.startswith(OWN_FONTS)]
    monkeypatch.setattr(manager, "ttflist", own)
    for function in (figures._font_with, figures._say_that_no_font_has):
        function.cache_clear()


def labelled(name):
    """A figure with this name as a title, a row's label, and in a legend that is measured."""
    figure, axes = figures.rows_figure([name, "Triplet"])
    axes.set_title(name)
    axes.plot([0, 1], [0, 1], label=name)
    figures.legend_above(figure, axes)
    return figure


def test_a_name_that_the_usual_font_lacks(tmp_path, capsys):
    """\u23b4 is in STIX, but not in DejaVu Sans. It is drawn from there, and nothing is said."""
    with warnings.catch_warnings(action="error"):
        figure = labelled("Top \u23b4")
        figures.write(tmp_path / "figure", figure, "", "caption")
    (axes,) = figure.axes
    for text in (axes.title, axes.get_yticklabels()[0]):
        (file,) = {font.name for font in font_manager.fontManager.ttflist
                   if font.name == text.get_fontfamily()[-1]}  # fmt: skip
        assert file.startswith("STIX")
    assert axes.get_yticklabels()[1].get_fontfamily() == ["sans-serif"]
    assert b"STIX" in (tmp_path / "figure.pdf").read_bytes()
    assert "no installed font" not in capsys.readouterr().out


def test_a_name_that_no_font_has(tmp_path, capsys):
    with warnings.catch_warnings(action="error"):
        for name in ("\u6a21\u578b", "\u65b9\u6cd5"):  # "model" and "method" in Chinese
            figures.write(tmp_path / "figure", labelled(name), "", "caption")
    assert capsys.readouterr().out.count("no installed font has CJK characters") == 1


def test_a_sans_font_is_preferred(monkeypatch):
    folder = Path(OWN_FONTS) / "fonts/ttf"
    fonts = [
        font_manager.FontEntry(fname=str(folder / file), name=name)
        for file, name in (("DejaVuSerif.ttf", "A Serif"), ("DejaVuSans.ttf", "B Sans"))
    ]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    assert figures._font_with("\u00d7") == "B Sans"


def test_the_note_on_the_networks_is_in_the_caption_alone(tmp_path):
    settings = load_settings("settings/demo.yaml")
    figure = labelled("Triplet")
    figures.draw(settings, tmp_path / "figure", figure, {}, "A line.")
    caption = " ".join((tmp_path / "figure.txt").read_text().split())
    assert caption == f"A line. {settings.note}" and "trained here" in settings.note
    assert not [text for text in figure.findobj(Text) if "trained here" in text.get_text()]


def test_a_pdf_is_made_again_only_for_another_picture(tmp_path):
    png, pdf = tmp_path / "line.png", tmp_path / "line.pdf"

    def is_made(end=2, description="a line"):
        figure, ((axes,),) = figures.new_figure(figsize=(2, 1))
        axes.plot([0, end], [0, 1])
        figures.write(tmp_path / "line", figure, description, "A line.")
        made = pdf.read_bytes().startswith(b"%PDF")
        pdf.write_bytes(b"the one before")
        return made

    assert is_made()
    assert not is_made()
    assert is_made(end=3)
    assert is_made(end=3, description="another line")
    png.unlink()
    assert is_made()
    pdf.unlink()
    assert is_made()
