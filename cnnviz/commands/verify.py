"""`train.py --verify RUN`: checks that a run is unchanged since its training ended."""

from pathlib import Path
from typing import Any

from cnnviz import runs
from cnnviz.commands.epochs import measured
from cnnviz.commands.own_model import use_for
from cnnviz.commands.resume import data_of
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.runs.lock import is_locked
from cnnviz.training.feed import feed_of
from cnnviz.training.mesh import here


def verify(path: Path, options: Any) -> int:
    """Checks the digests of all files and evaluates the best checkpoints again; raises InputError on a difference."""
    is_trained, faults = is_locked(path), runs.damages(path)
    if is_trained or faults and is_locked(path):  # its files are replaced while they are read
        raise InputError(f"The run {path} is being trained; verify it when the training has ended.")
    if faults:
        raise InputError(" ".join(faults))
    config = runs.load_config(path)
    use_for(path, config, options.model)
    print(f"All files of {path} are as they were written.")
    recorded = runs.read_summary(path)
    if recorded is None:
        print("Its training has not come to its end, so no test accuracy is recorded.")
        return 0
    test, limit = data_of(path, config, options).test, config["data"]["limit"]
    found = measured(runs.load_run(path), feed_of(test.images[:limit], test.labels[:limit], here()))
    rows = recorded.get("networks", [recorded])
    if len(rows) != len(found):
        raise InputError(
            f"The summary of {path} has {counted(len(rows), 'network')}; its checkpoints have {len(found)}."
        )
    for row, tally in zip(rows, found, strict=True):
        _compare(path, row, *tally.means())
    return 0


def _compare(path: Path, recorded: dict[str, Any], loss: float, accuracy: float) -> None:
    if accuracy != recorded["test_accuracy"] or abs(loss - recorded["test_loss"]) > 1e-5 * abs(loss):
        found = f"test accuracy {accuracy}, test loss {loss}"
        kept = f"{recorded['test_accuracy']} and {recorded['test_loss']}"
        raise InputError(f"The checkpoint of {path} gives {found} today; {kept} are recorded.")
    print(f"Test accuracy {accuracy:.4f}, test loss {loss:.4f}, as recorded.")
