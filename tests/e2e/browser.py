"""A real browser for tests of pages: headless Chromium, driven through its own driver's plain HTTP (W3C WebDriver)."""

import base64
import http.client
import io
import json
import re
import shutil
import subprocess
import tempfile

from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
MISSING = "no Chromium with its driver is installed (Debian: chromium, chromium-driver)"
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)
ARROW_LEFT, HOME, END = "\ue012", "\ue011", "\ue010"


class Browser:
    """One window of a browser of its own; a context manager. What it finds wrong is an AssertionError."""

    def __enter__(self):
        self._profile = tempfile.mkdtemp()
        self._driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            said = iter(self._driver.stdout.readline, b"")
            ports = (re.search(rb"successfully on port (\d+)", line) for line in said)
            port = int(next(match for match in ports if match).group(1))
            self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            options = dict(binary=CHROMIUM, args=[*_FLAGS, f"--user-data-dir={self._profile}"])
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": dict(browser="ALL")}
            self._session = self._call("POST", "", dict(capabilities=dict(alwaysMatch=wanted)), new=True)["sessionId"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        try:
            if hasattr(self, "_session"):
                self._call("DELETE", "")
        finally:
            if hasattr(self, "_http"):
                self._http.close()
            self._driver.terminate()
            self._driver.communicate(timeout=30)
            shutil.rmtree(self._profile, ignore_errors=True)  # a part of it may still be written to

    def open(self, path):
        """A local file."""
        self._call("POST", "/url", dict(url=path.resolve().as_uri()))

    def run(self, script, *arguments):
        """What a function with this body returns in the page."""
        return self._call("POST", "/execute/sync", dict(script=script, args=list(arguments)))

    def type(self, selector, keys):
        """Press keys while an element has the focus."""
        found = self._call("POST", "/element", dict(using="css selector", value=selector))
        (identity,) = found.values()
        self._call("POST", f"/element/{identity}/value", dict(text=keys))

    def devtools(self, command, **parameters):
        """A command of the DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", dict(cmd=command, params=parameters))

    def size(self, width, height, mobile=False):
        """Of the window's inside, in CSS pixels."""
        metrics = dict(width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.devtools("Emulation.setDeviceMetricsOverride", **metrics)

    def media(self, kind="screen", **features):
        """What the page takes itself to be shown on: ``prefers_color_scheme="dark"``."""
        named = [dict(name=name.replace("_", "-"), value=value) for name, value in features.items()]
        self.devtools("Emulation.setEmulatedMedia", media=kind, features=named)

    def picture(self, whole=False):
        """RGB, of what is in the window or of the whole page."""
        shot = self.devtools("Page.captureScreenshot", captureBeyondViewport=whole)
        return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")

    def pdf(self):
        """The page as it is printed."""
        return base64.b64decode(self._call("POST", "/print", {}))

    def log(self):
        """What the console says since the last call."""
        return [entry["message"] for entry in self._call("POST", "/se/log", dict(type="browser"))]

    def _call(self, method, path, body=None, new=False):
        where = "/session" if new else f"/session/{self._session}{path}"
        headers = {"Content-Type": "application/json"}
        self._http.request(method, where, json.dumps(body) if body is not None else None, headers)
        answer = self._http.getresponse()
        value = json.loads(answer.read().decode())["value"]
        assert answer.status == 200, value
        return value
