"""What is printed cannot steer a terminal, and no stream that fails ends a command."""

import io
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from cnnviz.commands import console, glyphs, main, output, terminal
from cnnviz.errors import InputError
from cnnviz.figures.files import encoded
from cnnviz.figures.style import page

ROOT = Path(__file__).parent.parent
STEERING = "".join(map(chr, [*range(9), *range(11, 32), *range(127, 160), 0x061C, 0x200F, 0x202E, 0x2066, 0x2069]))


@dataclass(frozen=True)
class NoOptions:
    """A command without options."""

    debug: bool = False


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self):
        return True


def ran(command, *arguments):
    return console.run(command, NoOptions, arguments, "test.py")


def test_control_characters_are_escaped_wherever_they_are_printed(capsys):
    def command(options):
        print(f"a\tb\n{STEERING}")
        print(STEERING, file=sys.stderr)
        raise InputError(f"There is no layer named \x1b[2J{STEERING}.")

    assert ran(command) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith("a\tb\n\\x00\\x01")
    assert captured.out.rstrip().endswith("\\u061c\\u200f\\u202e\\u2066\\u2069")
    assert "named \\x1b[2J\\x00" in captured.err
    assert not set(STEERING) & set(captured.out + captured.err)


def test_a_traceback_is_escaped_too(monkeypatch, capsys):
    def command(options):
        raise InputError("\x1b[2J")

    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    with pytest.raises(InputError) as raised:
        ran(command, "--debug")
    sys.excepthook(raised.type, raised.value, raised.tb)  # as the interpreter does
    assert "InputError: \\x1b[2J" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [("ascii", b"0.9 \\xb1 0.1 \\ud55c\\udcff\n"), ("cp1252", b"0.9 \xb1 0.1 \\ud55c\\udcff\n")],
)
def test_a_character_that_the_encoding_lacks_is_escaped(monkeypatch, encoding, printed):
    file = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(file, encoding=encoding, newline="\n"))
    assert ran(lambda options: print("0.9 ± 0.1 한\udcff") or 0) == 0
    assert file.getvalue() == printed


class Broken(io.StringIO):
    """A pipe that nobody reads."""

    def write(self, text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


def closed():
    file = io.StringIO()
    file.close()
    return file


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("stream", [Broken(), closed(), None], ids=["broken", "closed", "absent"])
def test_a_stream_that_fails_ends_nothing(monkeypatch, capsys, name, stream):
    done = []

    def command(options):
        for _ in range(2):
            print("a line", file=getattr(sys, name), flush=True)
        with terminal.progress() as report:
            report(1, 2)
        return done.append("trained") or 0

    monkeypatch.setattr(sys, name, stream)
    assert ran(command) == 0
    assert done == ["trained"]
    assert getattr(sys, name) is stream
    assert "".join(capsys.readouterr()) == ""  # `print` takes stdout if there is no stderr


def test_the_progress_bar_moves_the_cursor_and_the_lines_above_it_do_not(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())

    def command(options):
        with terminal.progress() as report:
            report(1, 2)
            print("layer \x1b[2J\x9b2J")
        return 0

    assert ran(command) == 0
    assert "\x1b[" in sys.stdout.getvalue()
    assert "layer \\x1b[2J\\x9b2J" in sys.stdout.getvalue()


def test_help_is_colored_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    with pytest.raises(SystemExit):
        ran(lambda options: 0, "--help")
    assert "\x1b[1m" in sys.stdout.getvalue()


def test_a_command_that_is_unknown_is_printed_in_any_encoding(monkeypatch):
    file = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(file, encoding="ascii"))
    assert main.main(["trän"]) == 2
    assert file.getvalue().startswith(b"cnnviz: 'tr\\xe4n' is not a command")


def test_libraries_do_not_color_what_is_escaped(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    with output.guarded():
        assert not sys.stdout.isatty()
        assert output.unescaped(sys.stdout).isatty()


@pytest.mark.parametrize("end", [">&-", "2>&-", "| true", ">/dev/full"])
def test_the_interpreter_ends_as_usual(end):
    code = "import sys; from cnnviz.commands.output import guarded\nwith guarded(): print('a' * 100000)\nsys.exit(7)"
    command = f'{sys.executable} -c "$0" {end}; exit ${{PIPESTATUS[0]}}'
    ended = subprocess.run(["bash", "-c", command, code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 7
    assert ended.stderr == ""


def test_a_closed_descriptor_is_given_to_no_file(tmp_path):
    code = (
        "import os; from cnnviz.commands.output import guarded\n"
        "with guarded(): files = open('1', 'w'), open('2', 'w'); os.write(1, b'a library'); os.write(2, b'a library')"
    )
    command = f'{sys.executable} -c "$0" >&- 2>&-'
    subprocess.run(["bash", "-c", command, code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True)
    assert [(tmp_path / name).read_text() for name in "12"] == ["", ""]


def test_characters_that_the_font_lacks_are_one_note(capsys):
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("default")
        with glyphs.one_note():
            for text in ("한글", "한국어"):
                encoded(page(6.0, 1.0, text), "svg", text, text)
            warnings.warn("something else", stacklevel=1)
    assert capsys.readouterr().out.count("so such letters are spelled") == 1
    assert [str(warning.message) for warning in others] == ["something else"]
