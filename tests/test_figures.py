"""Files of figures."""

from dml_analysis import figures


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
