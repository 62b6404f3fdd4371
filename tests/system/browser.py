"""A headless Chromium in a network namespace, driven by chromedriver's HTTP (W3C WebDriver)."""

import base64
import ctypes
import http.client
import json
import os
import shutil
import socket
import threading

from lab.net import CommandFailed, wait_until

PORT = 9515
_CLONE_NEWNET = 0x40000000
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"ArrowUp": "\ue013", "ArrowDown": "\ue015", "ArrowLeft": "\ue012", "ArrowRight": "\ue014",
        "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Home": "\ue011", "End": "\ue010"}


def why_not():
    """Why no browser can run on this machine; "" if one can."""
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"{' and '.join(missing)} not installed (scripts/deps.sh test)" if missing else ""


def _connect_in(namespace, port):
    """A socket to a port of the namespace's loopback: a socket stays in its namespace."""
    made = []

    def connect():
        with open(namespace.path, "rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET) != 0:
                return
        try:
            made.append(socket.create_connection(("127.0.0.1", port), timeout=60))
        except OSError:
            pass

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    return made[0] if made else None


class Browser:
    """One window. Ends with close()."""

    def __init__(self, namespace, *, width=1280, height=900):
        self._namespace = namespace
        folder = f"/run/lab/{namespace.name}.browser"
        os.makedirs(folder, exist_ok=True)
        self._driver = namespace.spawn(
            ["chromedriver", f"--port={PORT}", "--log-level=WARNING"], f"{folder}/log",
            env={**os.environ, "HOME": folder, "TMPDIR": folder})
        self._session = ""
        wait_until(lambda: self._call("GET", "/status", check=False), 20, "chromedriver answers")
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu",
                            "--disable-dev-shm-usage", f"--user-data-dir={folder}/data",
                            f"--window-size={width},{height}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def _call(self, method, path, body=None, *, check=True):
        sock = _connect_in(self._namespace, PORT)
        if sock is None:
            if check:
                raise CommandFailed("chromedriver is gone")
            return None
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        connection.sock = sock
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        finally:
            connection.close()
        if answer.status != 200 and check:
            raise CommandFailed(f"browser: {path}: {value.get('message', value)[:500]}")
        return value

    def _do(self, method, path, body=None):
        return self._call(method, self._session + path, body)

    def open(self, url):
        self._do("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """The return value of a function with this body, run in the page."""
        return self._do("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def press(self, *keys):
        """Presses keys, by their names (KEYS) or as characters."""
        actions = [{"type": way, "value": KEYS.get(key, key)}
                   for key in keys for way in ("keyDown", "keyUp")]
        self._do("POST", "/actions", {"actions": [{"type": "key", "id": "keys",
                                                   "actions": actions}]})

    def click(self, selector):
        found = self._do("POST", "/element", {"using": "css selector", "value": selector})
        self._do("POST", f"/element/{found[_ELEMENT]}/click", {})

    def prefer_dark(self, dark):
        value = "dark" if dark else "light"
        self._do("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.setEmulatedMedia",
            "params": {"features": [{"name": "prefers-color-scheme", "value": value}]}})

    def resize(self, width, height):
        self._do("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}})

    def complaints(self):
        """The browser's messages about the page since the last call: errors, refused resources."""
        return [entry["message"] for entry in self._do("POST", "/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._do("GET", "/screenshot")))

    def close(self):
        try:
            if self._session:
                self._call("DELETE", self._session, check=False)
        finally:
            self._driver.stop()
