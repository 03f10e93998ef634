"""Downloads of the files of a published data set: atomic, and abandoned within seconds when offline."""

import os
import socket
import sys
import threading
from contextlib import redirect_stderr
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from cnnviz.atomic import atomic_write
from cnnviz.data.dataset import Unavailable
from cnnviz.data.published import Published

PREFLIGHT, CONNECT, READ = 3.0, 5.0, 30.0  # seconds


def fetch(published: Published, folder: Path) -> None:
    """Downloads the files into a folder, but those that are there; raises Unavailable if that is impossible."""
    if os.environ.get("CNNVIZ_OFFLINE", "0") not in ("", "0"):
        raise Unavailable("CNNVIZ_OFFLINE is set")
    preflight(published.url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written: {error.strerror}") from error
    for name in published.downloaded:
        _fetch_file(published.address(name), folder / name, published)


def preflight(url: str) -> None:
    """Raises Unavailable unless the server, or the proxy in front of it, accepts a connection within three seconds.

    The connection is made in a thread, because a DNS lookup has no timeout and can take a minute if packets are lost.
    """
    host, port = _first_stop(url)
    faults: list[str] = [f"{host} does not answer within {PREFLIGHT:.0f} s"]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=PREFLIGHT).close()
            faults.clear()
        except OSError as error:
            faults[:] = [f"{host} cannot be reached: {error.strerror or error}"]

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(PREFLIGHT)
    if faults:
        raise Unavailable(faults[0])


def _first_stop(url: str) -> tuple[str, int]:
    """Host and port that a request for this URL connects to first: the server's or the proxy's."""
    scheme, host = urlsplit(url).scheme, urlsplit(url).hostname or ""
    proxy = getproxies().get(scheme)
    if not proxy or proxy_bypass(host):
        return host, 443 if scheme == "https" else 80
    parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _fetch_file(url: str, path: Path, published: Published) -> None:
    """Downloads one file, which appears at `path` only if it has the published checksum."""
    import pooch
    import requests  # pooch raises its exceptions

    terminal = sys.__stderr__ if sys.__stderr__ and sys.__stderr__.isatty() else None
    downloader = pooch.HTTPDownloader(progressbar=bool(terminal), chunk_size=1 << 16, timeout=(CONNECT, READ))
    # The progress bar moves the cursor, which the commands' sys.stderr does not let pass.
    with atomic_write(path) as part, redirect_stderr(terminal or sys.stderr):
        try:
            downloader(url, str(part), None)
        except requests.RequestException as error:
            raise Unavailable(f"{url}: {_reason(error)}") from error
        published.check(part)


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    return f"HTTP {response.status_code} {response.reason}" if response is not None else type(error).__name__
