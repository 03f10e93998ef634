"""Several devices and several processes: each agrees with one, and whatever goes wrong ends all of them, in time."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest

from cnnviz import runs
from cnnviz.commands import terminal, train
from cnnviz.errors import InputError
from cnnviz.training import processes
from cnnviz.training.rendezvous import meet

pytestmark = pytest.mark.slow

ROOT, LIMIT = Path(__file__).parent.parent, 240  # seconds, after which a test of processes has failed


@pytest.fixture(scope="module")
def alone(tmp_path_factory, data):
    """The run of one process on one device, and what the others are compared with."""
    folder = tmp_path_factory.mktemp("alone")
    assert train.main(options(data, folder)) == 0
    return runs.load_run(folder / "toy")


def options(data, folder, *more):
    usual = {"--epochs": 2, "--batch-size": 16, "--patience": 99}
    given = [text for option in usual.items() if option[0] not in more for text in option]
    return [str(text) for text in ("--dataset", data, "--runs", folder, "--name", "toy", *given, *more)]


def begin(data, folder, *more, devices=1, environment=()):
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
        **dict(environment),
    }
    command = [sys.executable, str(ROOT / "train.py"), *options(data, folder, *more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def ended(*processes):
    """The exit codes and what was written of processes that end in time."""
    try:
        written = [process.communicate(timeout=LIMIT) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], written


def free_port():
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def agree(run, alone):
    """The same records and parameters, to the tolerance of sums in another order."""
    for one, other in zip(run.history, alone.history, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], abs=2e-4)
        assert one["val_loss"] == pytest.approx(other["val_loss"], abs=2e-3)
    for layer, leaves in alone.variables["params"].items():
        for name, leaf in leaves.items():
            np.testing.assert_allclose(run.variables["params"][layer][name], leaf, atol=2e-3)


@pytest.mark.parametrize("more", [[], ["--images-on", "host", "--devices", "2"]])
def test_four_devices_share_a_batch_and_agree_with_one(data, alone, tmp_path, more):
    codes, written = ended(begin(data, tmp_path, *more, devices=4))
    assert codes == [0], written
    agree(runs.load_run(tmp_path / "toy"), alone)


def test_a_batch_that_the_devices_cannot_share_is_refused(data, tmp_path):
    codes, written = ended(begin(data, tmp_path, devices=3))
    assert codes == [2]
    assert written[0][1].strip() == "train.py: --batch-size must be a multiple of the 3 devices; it was 16."
    assert not list(tmp_path.iterdir())


def test_two_processes_agree_with_one_and_the_first_alone_writes(data, alone, tmp_path):
    where = f"127.0.0.1:{free_port()},2"
    codes, written = ended(*(begin(data, tmp_path, "--distributed", f"{where},{i}") for i in (0, 1)))
    assert codes == [0, 0], written
    assert [text.count("epoch  ") for text, _ in written] == [2, 0]
    agree(runs.load_run(tmp_path / "toy"), alone)
    summary = json.loads((tmp_path / "toy" / "summary.json").read_text())
    assert summary["test_accuracy"] == pytest.approx(
        json.loads((alone.path / "summary.json").read_text())["test_accuracy"], abs=0.05
    )


def slurm_s(number, count=2):
    """What Slurm tells a task about its step, on one node."""
    step = {"SLURM_JOB_ID": free_port(), "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": count}
    return {name: str(value) for name, value in {**step, "SLURM_PROCID": number, "SLURM_LOCALID": number}.items()}


@pytest.mark.slow
def test_two_tasks_of_slurm_agree_with_one_process(data, alone, tmp_path):
    job = slurm_s(0)
    tasks = [job, job | {"SLURM_PROCID": "1", "SLURM_LOCALID": "1"}]
    codes, written = ended(*(begin(data, tmp_path, "--distributed", "auto", environment=task) for task in tasks))
    assert codes == [0, 0], written
    assert ["Process 0 of 2" in text for text, _ in written] == [True, False]
    agree(runs.load_run(tmp_path / "toy"), alone)


@pytest.mark.parametrize(("number", "text"), [(0, "processes 1 did not connect"), (1, "did not answer in 1 second")])
def test_a_task_of_slurm_whose_peer_does_not_come_says_so(data, tmp_path, number, text):
    (code,), ((_, stderr),) = ended(
        begin(data, tmp_path, "--distributed", "auto", "--timeout", 1, environment=slurm_s(number))
    )
    assert code == 2
    assert text in stderr
    assert stderr.count("\n") == 1


def two_under_way(data, folder):
    """Two processes of one long training that have two epochs behind them."""
    where = f"127.0.0.1:{free_port()},2"
    more = ["--epochs", 500, "--patience", 500]
    processes = [begin(data, folder, *more, "--distributed", f"{where},{i}") for i in (0, 1)]
    for line in processes[0].stdout:
        if line.startswith("epoch  2"):
            break
    return processes


@pytest.mark.slow
def test_sigterm_to_one_of_two_stops_both_at_the_same_step_and_both_go_on(data, tmp_path):
    processes = two_under_way(data, tmp_path)
    processes[1].send_signal(signal.SIGTERM)
    codes, written = ended(*processes)
    assert codes == [143, 143], written
    stopped = [[line for line in stderr.splitlines() if "Stopped at step" in line] for _, stderr in written]
    assert stopped[0] == stopped[1]
    (state,), history = runs.load_states(tmp_path / "toy")
    assert f"step {int(state.step)} " in stopped[0][0]
    assert len(history) < 500
    again = f"127.0.0.1:{free_port()},2"
    resumed = ["--resume", "--distributed"]
    codes, written = ended(*(begin(data, tmp_path, *resumed, f"{again},{i}", "--epochs", 3) for i in (0, 1)))
    assert codes == [2, 2]  # both are told what only the first can know
    assert all("--epochs 3 (it has 500)" in stderr for _, stderr in written)


def test_when_one_of_two_is_killed_the_other_says_so_and_ends(data, tmp_path):
    processes = two_under_way(data, tmp_path)
    begun = time.monotonic()
    processes[1].kill()
    codes, written = ended(*processes)
    assert codes == [2, -signal.SIGKILL], written
    assert time.monotonic() - begun < 60  # JAX's own end comes after 100 seconds
    assert written[0][1].splitlines()[-1].startswith("This process cannot go on, perhaps because another one is gone (")
    assert "Traceback" not in written[0][1]
    assert len(runs.load_states(tmp_path / "toy")[1]) >= 2


def test_a_process_that_finds_other_data_ends_all(data, tmp_path, toy):
    other = tmp_path / "other" / data.name
    other.parent.mkdir()
    images, labels = map(np.asarray, toy)
    np.savez(other, x_train=images[:149], y_train=labels[:149], x_test=images[150:], y_test=labels[150:])
    where = f"127.0.0.1:{free_port()},2"
    mine, theirs = tmp_path / "a", tmp_path / "b"
    first = begin(data, mine, "--distributed", f"{where},0")
    second = begin(data, theirs, "--distributed", f"{where},1", "--data-dir", tmp_path / "nowhere")
    codes, written = ended(first, second)
    assert codes == [2, 2], written
    assert "Process 1 cannot go on" in written[0][1]
    assert "nowhere" in written[1][1]


def test_where_no_cluster_is_found_a_process_trains_alone_and_can_be_stopped(data, tmp_path):
    process = begin(data, tmp_path, "--distributed", "auto", "--epochs", 500, "--patience", 500)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("epoch  2"):
            break
    process.send_signal(signal.SIGTERM)
    codes, written = ended(process)
    assert codes == [143], written
    assert lines[0] == "No cluster was found: this process trains alone.\n"


def test_those_who_do_not_come_are_named_in_time():
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"Of 3 processes 1, 2 did not connect in 0.3 seconds."):
        meet("localhost", free_port(), 3, 0, 0.3)
    with pytest.raises(InputError, match=r"The coordinator localhost:\d+ did not answer in 0.3 seconds \(.*process 0"):
        meet("localhost", free_port(), 3, 2, 0.3)
    assert time.monotonic() - begun < 30


def test_a_port_that_cannot_be_listened_at_is_named():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"cannot listen at port {port} \(Address already in use\)\."):
            meet("localhost", port, 2, 0, 1)
    for port in [0, 65536]:
        with pytest.raises(InputError, match=rf"from 1 to 65535; it was {port} in localhost:{port}"):
            meet("localhost", port, 2, 0, 1)


def test_only_the_first_of_many_who_do_not_come_are_named():
    with pytest.raises(InputError, match=r"Of 4000 processes 1, 2, 3, 4, 5, 6, 7, 8 and 3,991 more did not connect"):
        meet("localhost", free_port(), 4000, 0, 0.3)


def test_a_name_that_can_be_no_hosts_does_not_answer():
    with pytest.raises(InputError, match=r"The coordinator a\.\.b:9 did not answer in 0.3 seconds \(.*label empty"):
        meet("a..b", 9, 2, 1, 0.3)


def test_one_who_is_no_process_is_not_taken_for_one():
    port = free_port()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(meet, "localhost", port, 2, 0, 30)
        for said in [b"", b"GET / HTTP/1.1"]:
            knock(port, said)
        meet("localhost", port, 2, 1, 30)
        first.result(30)


def knock(port: int, said: bytes) -> None:
    """Comes to `port`, as soon as someone listens there, says this and leaves."""
    for _ in range(100):
        try:
            with socket.create_connection(("localhost", port)) as guest:
                return guest.sendall(said)
        except ConnectionRefusedError:
            time.sleep(0.05)


@pytest.mark.parametrize("debug", [False, True])
def test_a_process_left_alone_ends_in_one_line_or_with_a_traceback_for_debug(monkeypatch, capsys, debug):
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit, match="2"), terminal.any_process(debug):
        raise jax.errors.JaxRuntimeError("UNAVAILABLE: Connection closed by peer\n  and where")
    stderr = capsys.readouterr().err
    assert "another one is gone (UNAVAILABLE: Connection closed by peer); the saved run is complete" in stderr
    assert ("Traceback" in stderr) == debug
    assert debug or stderr.count("\n") == 1


def test_alone_everything_is_found_by_this_process():
    assert processes.is_first()
    assert not processes.are_several()
    assert processes.broadcast(lambda: {"a": 1}) == {"a": 1}
    assert processes.on_every_process(lambda: 3) == 3
    assert processes.broadcast_arrays([1, 2]) == [1, 2]
