"""The notebooks of examples/: made from their scripts, and every cell runs."""

import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

FOLDER = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(FOLDER))
import make  # noqa: E402

sys.path.remove(str(FOLDER))


@pytest.mark.parametrize("name", make.NAMES)
def test_a_notebook_has_the_cells_of_its_script_and_a_picture(name):
    kept = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    made = make.notebook(FOLDER / f"{name}.py")
    assert [(cell.cell_type, cell.source) for cell in kept.cells] == [
        (cell.cell_type, cell.source) for cell in made.cells
    ]
    outputs = [output for cell in kept.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", ()) for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)
    nbformat.validate(kept)


@pytest.mark.slow
@pytest.mark.parametrize("name", make.NAMES)
def test_every_cell_of_a_notebook_runs(name, tmp_path):
    ran = make.run(make.notebook(FOLDER / f"{name}.py"), tmp_path)
    shown = [output for cell in ran.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", ()) for output in shown) >= 3
