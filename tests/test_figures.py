"""Files of figures, and their fonts: what the usual one lacks comes from another, or is said to be missing."""

import warnings
from pathlib import Path

import matplotlib
import pytest
from matplotlib import font_manager

from dml_analysis import figures

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
    figure, axes = figures.rows_figure([name, "Triplet"])
    axes.set_title(name)
    return figure


def test_a_name_that_the_usual_font_lacks(tmp_path, capsys):
    """\u23b4 is in STIX, but not in DejaVu Sans. It is drawn from there, and nothing is said."""
    figure = labelled("Top \u23b4")
    with warnings.catch_warnings(action="error"):
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
