"""`train.py --verify RUN`: whether a run is what it was when its training ended."""

from pathlib import Path

from cnnviz import runs
from cnnviz.commands.epochs import on_device
from cnnviz.commands.resume import data_of
from cnnviz.errors import InputError
from cnnviz.training.step import make_evaluate


def verify(path: Path, data_dir: Path | None) -> int:
    """Checks the digests of all files, then measures the kept checkpoint again; what differs is an InputError."""
    config = runs.load_config(path)
    if faults := runs.damages(path):
        raise InputError(" ".join(faults))
    print(f"All files of {path} are as they were written.")
    recorded = runs.read_summary(path)
    if recorded is None:
        print("Its training has not come to its end, so no test accuracy is recorded.")
        return 0
    test = on_device(data_of(path, config, data_dir).test, config["data"]["limit"])
    run = runs.load_run(path)
    loss, accuracy = make_evaluate(run.model, run.prepare)(run.variables, test)
    if accuracy != recorded["test_accuracy"] or abs(loss - recorded["test_loss"]) > 1e-5 * abs(loss):
        found = f"test accuracy {accuracy}, test loss {loss}"
        kept = f"{recorded['test_accuracy']} and {recorded['test_loss']}"
        raise InputError(f"The checkpoint of {path} gives {found} today; {kept} are recorded.")
    print(f"Test accuracy {accuracy:.4f}, test loss {loss:.4f}, as recorded.")
    return 0
