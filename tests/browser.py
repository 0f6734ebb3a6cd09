"""A real browser, for the tests of what we write for one: the report and the site."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


class Browser:
    """Chromium, driven through chromedriver's own protocol."""

    ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

    def __init__(self, port: int, chromium: str, profile: Path) -> None:
        self._root = f"http://127.0.0.1:{port}"
        arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--window-size=1200,900",
        ]  # fmt: skip
        options = {
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        session = self._call("POST", "/session", capabilities={"alwaysMatch": options})
        self._root += f"/session/{session['sessionId']}"

    def _call(self, method: str, path: str, **body: Any) -> Any:
        request = urllib.request.Request(
            self._root + path,
            method=method,
            data=json.dumps(body).encode() if method == "POST" else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["value"]

    def open(self, path: Path) -> None:
        self._call("POST", "/url", url=path.as_uri())

    def js(self, code: str) -> Any:
        return self._call("POST", "/execute/sync", script=f"return {code}", args=[])

    def _element(self, selector: str) -> str:
        found = self._call("POST", "/element", using="css selector", value=selector)
        return f"/element/{found[self.ELEMENT]}"

    def click(self, selector: str) -> None:
        self._call("POST", f"{self._element(selector)}/click")

    def keys(self, keys: str) -> None:
        """Press keys, wherever the focus is."""
        presses = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": presses}
        self._call("POST", "/actions", actions=[source])
        # What a key leads to may come a little later: a dialog says afterwards that it was closed.
        self.js("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")

    def console(self) -> list[Any]:
        found: list[Any] = self._call("POST", "/se/log", type="browser")
        return found

    def emulate(self, command: str, **parameters: Any) -> Any:
        return self._call("POST", "/goog/cdp/execute", cmd=command, params=parameters)

    def screenshot(self) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(self._call("GET", "/screenshot"))))

    def quit(self) -> None:
        self._call("DELETE", "")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium with chromedriver here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        browser = Browser(port, chromium, tmp_path_factory.mktemp("profile"))
        yield browser
        browser.quit()
    finally:
        process.terminate()
        process.wait()
