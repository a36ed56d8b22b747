"""A headless Chromium, driven through WebDriver by the standard library alone.

A `Browser` owns a directory and two sessions of processes: chromedriver's and Chromium's.  Leaving
it ends them all and waits until none is left, also when the test failed half-way.  Chromium reaches
127.0.0.0/8 only, and every feature that asks another host for something is off.

Chromium is started here, not by chromedriver, which would look for it at `localhost`: that name
does not resolve everywhere.

    with Browser() as browser:
        browser.open("http://127.0.0.1:8080/")
        browser.click("button")
"""

import base64
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness  # noqa: E402

# A browser starts slowly on a busy machine.
SECONDS = 3 * harness.SECONDS

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element reference in WebDriver

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--window-size=1280,900", "--force-color-profile=srgb", "--lang=en",
    # No requests to other hosts, and no reports.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*", "--disable-quic", "--no-first-run",
    "--no-pings", "--no-default-browser-check", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--disable-extensions", "--disable-breakpad", "--disable-crash-reporter",
    "--disable-domain-reliability", "--metrics-recording-only",
    # One renderer for all pages: a new one for each page costs more than all else.
    "--renderer-process-limit=1", "--disable-site-isolation-trials", "--in-process-gpu",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication,"
    "SpareRendererForSitePerProcess,IsolateOrigins",
    # What chromedriver would add.
    "--remote-debugging-port=0", "--enable-automation", "--test-type=webdriver",
    "--password-store=basic", "--disable-hang-monitor", "--disable-popup-blocking",
    "--disable-prompt-on-repost", "--disable-client-side-phishing-detection",
)
PREFERENCES = {
    "safebrowsing": {"enabled": False},
    "search": {"suggest_enabled": False},
    "alternate_error_pages": {"enabled": False},
    "dns_prefetching": {"enabled": False},
    "net": {"network_prediction_options": 2},
    "credentials_enable_service": False,
    "signin": {"allowed": False},
    "translate": {"enabled": False},
}


def missing_programs():
    return [name for name in ("chromium", "chromedriver") if not shutil.which(name)]


class WebDriverError(AssertionError):
    """The browser could not execute a command."""


def processes_of_session(session):
    """The living processes of a session that an ancestor opened with setsid()."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = pathlib.Path(f"/proc/{entry}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _, _, process_session = text[text.rindex(")") + 2:].split()[:4]
        if int(process_session) == session and state not in ("Z", "X"):
            found.append(int(entry))
    return found


class Browser:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ringlet-browser-"))
        self.processes = []
        self._root = None

    # Its life

    def __enter__(self):
        try:
            address = self._start_chromium()
            self._start_driver()
            self._open_session(address)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *error):
        self._end()

    def _start_chromium(self):
        """Returns the address at which it takes commands."""
        profile = self.directory / "profile"
        (profile / "Default").mkdir(parents=True)
        (profile / "Default" / "Preferences").write_text(json.dumps(PREFERENCES))
        pattern = r"DevTools listening on ws://(127\.0\.0\.1:\d+)/"
        return self._start("chromium", pattern, *ARGUMENTS, f"--user-data-dir={profile}",
                           "about:blank")

    def _start_driver(self):
        port = self._start("chromedriver", r"started successfully on port (\d+)", "--port=0")
        self._root = f"http://127.0.0.1:{port}"

    def _start(self, name, pattern, *arguments):
        """Returns what the pattern finds in the program's output.  chromedriver takes a free port
        of IPv4 and wants the same of IPv6: if that is taken, it ends, and is started again."""
        output, process = self.directory / f"{name}.txt", None

        def found():
            nonlocal process
            if not process or process.poll() is not None:
                process = self._start_process(output, name, *arguments)
            return re.search(pattern, output.read_text(errors="replace"))

        try:
            return harness.wait_until(found, SECONDS, f"{name}'s port")[1]
        except AssertionError as error:
            error.add_note(f"{name} says:\n{output.read_text(errors='replace')}")
            raise

    def _start_process(self, output, name, *arguments):
        homes = {name: str(self.directory) for name in ("HOME", "TMPDIR", "XDG_CONFIG_HOME",
                                                        "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}
        with open(output, "wb") as file:
            process = subprocess.Popen(
                [shutil.which(name), *arguments], stdin=subprocess.DEVNULL, stdout=file,
                stderr=file, start_new_session=True, env={**os.environ, **homes})
        self.processes.append(process)
        return process

    def _open_session(self, address):
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"debuggerAddress": address},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": int(SECONDS * 1000), "pageLoad": int(SECONDS * 1000)},
        }}})
        self._root += f"/session/{answer['sessionId']}"

    def _end(self):
        """The session is not closed: what is left of the profile is removed anyway."""
        try:
            harness.wait_until(self._kill_all, SECONDS, "the end of the browser")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _kill_all(self):
        """True when nothing is left; a process that is just being forked is found the next time."""
        remaining = [pid for process in self.processes
                     for pid in processes_of_session(process.pid)]
        for pid in remaining:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self.processes:
            process.poll()
        return not remaining

    # WebDriver (https://www.w3.org/TR/webdriver2/)

    def _call(self, method, path, parameters=None):
        body = None if method == "GET" else json.dumps(parameters or {}).encode()
        request = urllib.request.Request(self._root + path, body, method=method,
                                         headers={"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=SECONDS) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise WebDriverError(f"{method} {path}: {value['error']}: {value['message']}") from None

    def _tell_devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def evaluate(self, expression):
        """The value of a JavaScript expression in the page."""
        return self._call("POST", "/execute/sync", {"script": f"return {expression}", "args": []})

    def text(self, selector):
        """The text of the first matching element, visible or not; None if there is none."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.textContent")

    def await_true(self, expression, what=None):
        """Polls until the expression is true, and returns its value."""
        try:
            return harness.wait_until(lambda: self.evaluate(expression), SECONDS,
                                      what or expression)
        except AssertionError as error:
            shown = self.evaluate("document.body.innerText")
            raise AssertionError(f"{error}; the page says:\n{shown}") from None

    def _find(self, selector):
        reference = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return "/element/" + reference[ELEMENT]

    def click(self, selector):
        """Like a mouse: the element must be visible and not covered. It may have moved between
        looking and pressing, because the page changes every second; then this tries again."""
        def is_pressed():
            try:
                self._call("POST", self._find(selector) + "/click")
            except WebDriverError as error:
                if "element click intercepted" not in str(error):
                    raise
                return False
            return True

        harness.wait_until(is_pressed, SECONDS, f"{selector}, not covered")

    def type(self, selector, text):
        """Replaces the content of a field, key by key; U+E007 is Enter."""
        element = self._find(selector)
        self._call("POST", element + "/clear")
        self._call("POST", element + "/value", {"text": text})

    def press(self, key):
        """Presses one key, wherever the focus is."""
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]})

    def take_log(self):
        """The console messages since the last call: level, source and message of each."""
        return self._call("POST", "/se/log", {"type": "browser"})

    # The visitor's preferences, and screenshots

    def prefer(self, **features):
        """prefer(color_scheme="dark", reduced_motion="reduce")"""
        self._tell_devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-" + name.replace("_", "-"), "value": value}
            for name, value in features.items()])

    def resize(self, width, height, is_phone=False):
        self._tell_devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                            deviceScaleFactor=2 if is_phone else 1, mobile=is_phone)

    def screenshot(self, path):
        """The whole page, as PNG."""
        answer = self._tell_devtools("Page.captureScreenshot", captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(answer["data"]))
