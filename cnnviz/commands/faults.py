"""What a machine lacks, in one line: memory, threads, devices; checked at the start as far as C++ would only abort."""

import os
import re
import subprocess
import sys
import threading
import traceback
from pathlib import Path

from cnnviz.errors import InputError, OutOfMemory, memory

# What Python, JAX, its compiler and a small network take: address space with all that is reserved, and more for each
# core, whose threads reserve stacks and heaps; memory; threads.
SPACE, SPACE_PER_CORE, MEMORY, THREADS = 1_700_000_000, 150_000_000, 400_000_000, 32
IMPORTS, IMPORTS_PER_CORE = 250_000_000, 100_000_000  # address space that importing a command takes, without JAX
HARMLESS = re.compile(r"(--xla_force_host_platform_device_count=\d+\s*)*")  # the flag that JAX's documentation names

SETTINGS = Path("jax", "_src", "config.py")  # where JAX reads its variables of the environment
REQUEST = re.compile(r"(\d+) bytes")
MARKS = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory", "bad_alloc", "Cannot allocate memory")


def check_machine() -> None:
    """Raises OutOfMemory or InputError if JAX could not start here: its C++ code would end the process.

    Also forgets MPLBACKEND: no window is ever opened, and matplotlib cannot be imported if it does not know the name.
    """
    os.environ.pop("MPLBACKEND", None)
    _check_space(SPACE, SPACE_PER_CORE)
    if (left := memory.free()) < MEMORY:
        raise OutOfMemory(f"{memory.in_words(left)} of memory is free; {memory.in_words(MEMORY)} is needed.")
    start_threads(THREADS)
    if not HARMLESS.fullmatch(flags := os.environ.get("XLA_FLAGS", "")):
        _check_flags(flags)


def check_imports() -> None:
    """Raises OutOfMemory if NumPy and Pillow could not be imported here.

    The BLAS of NumPy starts one thread per core when it is imported, and interrupts the process if it cannot.
    """
    _check_space(IMPORTS, IMPORTS_PER_CORE)
    start_threads(os.cpu_count() or 1)


def _check_space(least: int, per_core: int) -> None:
    """Raises OutOfMemory if the address space has a limit below this, and says what a training takes."""
    cores = os.cpu_count() or 1
    if (space := memory.address_space()) and space[0] < least + per_core * cores:
        limit, needed = memory.in_words(space[0]), memory.in_words(SPACE + SPACE_PER_CORE * cores)
        raise OutOfMemory(f"The address space of this process is limited to {limit}; give it {needed} by `ulimit -v`.")


def sentence(error: BaseException, smaller: str) -> str | None:
    """One line on what the machine lacks and what to make `smaller` or to change; None if the error is another one."""
    text = str(error)
    first = next(iter(text.splitlines()), type(error).__name__).rstrip(".")
    match error:
        case RuntimeError() if "start new thread" in text:
            return (
                "No further thread can be started; allow more processes (`ulimit -u`) or address space (`ulimit -v`)."
            )
        case RuntimeError() if "Unable to initialize backend" in text:
            return _no_device(first)
        case AssertionError() if not _has_devices():  # JAX asserts it without a message where a platform has none
            return _no_device(first)
        case ValueError() if _raised_by(error, SETTINGS):
            return f"JAX does not take a variable of the environment: {first}; unset it or correct it."
        case FloatingPointError():
            return f"A value is NaN or infinite, which JAX_DEBUG_NANS or JAX_DEBUG_INFS forbids: {first}."
        case Warning():
            return f"A warning is an error by PYTHONWARNINGS: {first}."
        case MemoryError():
            return _out_of_memory(text, smaller)
        case RuntimeError() if any(mark in text for mark in MARKS):
            return _out_of_memory(text, smaller)
    return None


def _no_device(why: str) -> str:
    platforms = os.environ.get("JAX_PLATFORMS", "")
    return f"JAX finds no device that JAX_PLATFORMS={platforms} allows ({why}); unset it, or set it to cpu."


def _has_devices() -> bool:
    """Whether JAX can start; asked after an error, whose traceback may lack the frames of JAX."""
    import jax

    try:
        return bool(jax.devices())
    except (RuntimeError, AssertionError):
        return False


def _raised_by(error: BaseException, module: Path) -> bool:
    """Whether the error was raised in the module whose file has this path at its end."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).parts[-len(module.parts) :] == module.parts


def _out_of_memory(text: str, smaller: str) -> str:
    request = REQUEST.search(text)
    asked = f"{memory.in_words(int(request[1]))} were asked for at once" if request else text.partition("\n")[0]
    return f"Memory ran out ({asked or 'a request failed'}); make {smaller} smaller."


def start_threads(count: int) -> None:
    """Starts `count` threads, which end when all run; raises OutOfMemory if the system refuses one."""
    go, started = threading.Event(), []
    try:
        for _ in range(count):
            thread = threading.Thread(target=go.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise OutOfMemory(
            f"Only {len(started)} of {count} threads can be started; allow more (`ulimit -u`, `ulimit -v`)."
        ) from error
    finally:
        go.set()
        for thread in started:
            thread.join()


def _check_flags(flags: str) -> None:
    """Raises InputError if XLA, asked in another process, does not take these flags: it ends the process."""
    asked = subprocess.run([sys.executable, "-c", "import jax; jax.devices()"], capture_output=True, text=True)
    refused = [line.rpartition("] ")[2] for line in asked.stderr.splitlines() if "XLA_FLAGS" in line]
    if asked.returncode and refused:
        raise InputError(f"XLA does not start with XLA_FLAGS={flags!r}: {refused[0].rstrip('.')}.")
