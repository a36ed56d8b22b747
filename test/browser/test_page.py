"""The front page in a real browser: what a visitor sees of a running server, and when it is gone.

Each case has a daemon of its own, which serves www/ by the sample configuration. One headless
browser serves all cases. Screenshots are stored in the directory RINGLET_BROWSER_PICTURES."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import webdriver  # noqa: E402  (puts the harness on the path)
import harness  # noqa: E402

WWW = harness.TREE / "www"
SAMPLE = (harness.TREE / "docs" / "ringlet.conf").read_text()

ENTER, TAB, SPACE = "\ue007", "\ue004", " "

# An address that no other test uses, so that the port stays free while the server is away.
OWN_ADDRESS = f"127.{os.getpid() >> 16 & 127}.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"


def condition_is(name):
    return f"document.getElementById('condition').dataset.condition === '{name}'"


def number(selector):
    """An expression for the page: the number in this element, without its unit; NaN if there is
    none."""
    text = f"document.querySelector('{selector}')?.textContent"
    return f"parseFloat(({text} ?? '').replace(/,/g, ''))"


REQUESTS = number('[data-fact="requests"]')
REQUESTS_PER_SECOND = number('[data-panel="requests"] [data-value="now"]')
OPEN_CONNECTIONS = number('[data-value="open"]')


def form_of(trial):
    """The form that contains the button of this trial."""
    return f'form:has(button[value="{trial}"])'


def needs_endpoint(name):
    return unittest.skipUnless(f'endpoint = "{name}"' in SAMPLE,
                               f"the sample configuration has no {name} yet")


@unittest.skipIf(webdriver.missing_programs(),
                 f"not installed: {', '.join(webdriver.missing_programs())}")
class ThePage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(webdriver.Browser())
        directory = os.environ.get("RINGLET_BROWSER_PICTURES")
        cls.pictures = pathlib.Path(directory) if directory else None
        if cls.pictures:
            cls.pictures.mkdir(parents=True, exist_ok=True)

    def setUp(self):
        self.store = tempfile.mkdtemp(prefix="ringlet-store-")
        self.addCleanup(shutil.rmtree, self.store, ignore_errors=True)
        os.chmod(self.store, 0o777)
        self.expected_failures = []  # patterns of what the console may say
        self.browser.open("about:blank")
        self.browser.take_log()
        self.browser.prefer(color_scheme="light")
        self.browser.resize(1280, 900)

    def leave(self):
        """The console must have no messages except for requests that the case lets fail."""
        self.browser.open("about:blank")
        for entry in self.browser.take_log():
            is_expected = entry["source"] == "network" and any(
                re.search(pattern, entry["message"]) for pattern in self.expected_failures)
            self.assertTrue(is_expected or entry["level"] in ("INFO", "DEBUG"), entry)

    # The server and its visitors

    def configuration(self, listen="127.0.0.1:0", without=()):
        """The sample configuration with this address, and without the endpoints in `without`."""
        lines = [line for line in SAMPLE.splitlines() if not line.startswith("listen ")
                 and not any(f'endpoint = "{name}"' in line for name in without)]
        text = "\n".join([f'listen "{listen}" {{}}', *lines, ""])
        text = re.sub(r'(directory\s*=\s*)"[^"]*"', rf'\1"{self.store}"', text)
        return text.replace("../www", str(WWW))

    @contextlib.contextmanager
    def serving(self, **options):
        host = options.get("listen", "127.0.0.1:0").rpartition(":")[0]
        with harness.Server(configuration=self.configuration(**options), root=WWW) as server:
            server.url = f"http://{host}:{server.port}/"
            yield server

    @contextlib.contextmanager
    def visited(self, condition="live", **options):
        """A server and its page; the browser leaves the page before the server ends."""
        with self.serving(**options) as server:
            self.browser.open(server.url)
            self.browser.await_true(condition_is(condition))
            yield server
            self.leave()

    @contextlib.contextmanager
    def load(self, server):
        """A client that asks again and again, slowly enough not to starve the browser."""
        is_enough = threading.Event()

        def ask():
            while not is_enough.is_set():
                with server.client() as client:
                    for target in ("/ping", "/static/letter.txt", "/ping"):
                        client.get(target)
                is_enough.wait(0.02)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            is_enough.set()
            thread.join()

    def ask(self, trial):
        """Presses the button and returns the new answer. Presses again if the page had just
        moved."""
        result = f"document.querySelector('{form_of(trial)} .result')"
        self.browser.evaluate(f"{result}.replaceChildren()")

        def is_asked():
            self.browser.click(f'button[value="{trial}"]')
            return self.browser.evaluate(f"{result}.childElementCount > 0")

        harness.wait_until(is_asked, what=f"a question of {trial}")
        return self.answer(trial)

    def answer(self, trial):
        form = form_of(trial)
        self.browser.await_true(f"document.querySelector('{form}:not([aria-busy]) .chip') !== null",
                                f"an answer to {trial}")
        return " ".join(self.browser.text(f"{form} .result").split())

    def keep_picture(self, name):
        if self.pictures:
            self.browser.screenshot(self.pictures / f"page-{harness.BACKEND}-{name}.png")

    # The dashboard

    def test_numbers_move_under_load(self):
        with self.visited() as server:
            before = self.browser.await_true(REQUESTS)
            with self.load(server):
                self.browser.await_true(f"{REQUESTS_PER_SECOND} >= 10", "ten requests a second")
                self.browser.await_true(f"{REQUESTS} > {before} + 50", "fifty requests more")
                for panel in ("requests", "bytes", "completions"):
                    path = f'[data-panel="{panel}"] .line'
                    self.browser.await_true(
                        f"document.querySelector('{path}').getAttribute('d').includes('L')",
                        f"a line in {panel}")
                    self.assertIsNotNone(self.browser.text(f'[data-panel="{panel}"] b'))

    def test_open_connections_are_shown_by_state(self):
        with self.visited() as server, contextlib.ExitStack() as clients:
            for _ in range(17):
                clients.enter_context(server.client()).get("/ping")
            self.browser.await_true(f"{OPEN_CONNECTIONS} >= 17")
            self.browser.await_true(number('[data-state="reading"]') + " >= 17")
            clients.close()
            self.browser.await_true(f"{OPEN_CONNECTIONS} < 17")
            self.assertEqual(
                self.browser.evaluate("document.querySelectorAll('[data-state]').length"),
                len(server_states(server)))

    def test_facts_are_those_of_the_server(self):
        with self.visited():
            self.assertEqual(self.browser.text('[data-fact="backend"]'), harness.BACKEND)
            self.assertIn("s", self.browser.text('[data-fact="up for"]'))

    def test_latency_is_shown_for_each_endpoint(self):
        with self.visited() as server:
            server.get("/ping")
            for quantile in ("p50", "p90", "p99"):
                self.browser.await_true(number(f'[data-latency="ping {quantile}"]') + " > 0")

    def test_pause_holds_the_numbers(self):
        with self.visited() as server:
            self.browser.click("#pause")
            self.browser.await_true(condition_is("paused"))
            shown = self.browser.text('[data-fact="requests"]')
            with self.load(server):
                harness.wait_until(lambda: server_stats(server)["counters"]["requests"] > 100)
            self.assertEqual(self.browser.text('[data-fact="requests"]'), shown)
            self.browser.click("#pause")
            self.browser.await_true(f"{REQUESTS} > 100")

    def test_gone_server_is_said_to_be_gone_until_it_is_back(self):
        self.expected_failures = [r"net::ERR_(CONNECTION|EMPTY|SOCKET)\w*"]
        with self.serving(listen=f"{OWN_ADDRESS}:0") as server:
            self.browser.open(server.url)
            self.browser.await_true(condition_is("live"))
        self.browser.await_true(condition_is("gone"))
        self.assertIn("The server is gone", self.browser.text("#condition"))
        self.keep_picture("gone")
        self.assertIn("The server is gone", self.ask("ping"))
        with self.serving(listen=f"{OWN_ADDRESS}:{server.port}"):
            self.browser.await_true(condition_is("live"))
            self.assertNotIn("gone", self.browser.text("#condition"))
            self.assertIn("200 OK", self.ask("ping"))
            self.leave()

    def test_refused_numbers_are_said_to_be_refused(self):
        self.expected_failures = ["/stats.* 404"]
        with self.visited("refused", without=["stats"]):
            self.assertIn("404", self.browser.text("#condition"))
            self.assertEqual(self.browser.evaluate(
                "document.querySelectorAll('.panel:not([hidden])').length"), 0)

    # The endpoints to try

    def test_ping_answers(self):
        with self.visited():
            self.assertRegex(self.ask("ping"), r"200 OK in [\d.]+ ms\. .*pong$")
            self.assertRegex(self.ask("ping-often"), r"200 OK in [\d.]+ ms\. [\d,]+ answers")

    @needs_endpoint("echo")
    def test_echo_shows_what_was_sent(self):
        with self.visited():
            self.browser.type(f"{form_of('echo')} textarea", "Knocking on the moonlit door")
            self.assertRegex(self.ask("echo"),
                             r"200 OK .*POST /echo HTTP/1\.1 .*Knocking on the moonlit door$")

    @needs_endpoint("store")
    def test_written_value_is_read_back(self):
        self.expected_failures = ["/read .* 404"]
        field = f"{form_of('write')} input"
        with self.visited():
            self.assertRegex(self.ask("read"), "404 Not Found")
            self.browser.type(field, "the first")
            self.assertIn("201 Created", self.ask("write"))
            self.browser.type(field, "the second")
            self.assertIn("204 No Content", self.ask("write"))
            self.assertRegex(self.ask("read"), r"200 OK .* 10 bytes\. ?the second")
            self.assertIn("204 No Content", self.ask("forget"))
            self.assertRegex(self.ask("read"), "404 Not Found")

    @needs_endpoint("palindrome")
    def test_palindrome_is_told_from_other_text(self):
        field = f"{form_of('palindrome')} input[name=text]"
        with self.visited():
            self.assertRegex(self.ask("palindrome"), "200 OK .*Yes; 17 characters")
            self.browser.click(f"{form_of('palindrome')} .choice")
            self.assertRegex(self.ask("palindrome"), "200 OK .*No; 17 characters")
            self.browser.type(field, "äöä" + ENTER)
            self.browser.await_true("document.querySelector('" + form_of("palindrome") +
                                    " .result').textContent.includes('Yes; 3 characters')")

    def test_absent_endpoint_is_said_to_be_absent(self):
        self.expected_failures = [r"/(ping|echo|read|write|palindrome)\b.* 40[45]"]
        with self.visited(without=["ping", "echo", "store", "palindrome"]):
            for trial in ("ping", "echo", "write", "palindrome", "read"):
                with self.subTest(trial):
                    self.assertIn("not configured here", self.ask(trial))

    # Readers

    def test_keys_alone_reach_and_work_everything(self):
        with self.visited():
            reached = set()
            for _ in range(30):
                self.browser.press(TAB)
                reached.add(self.browser.evaluate(
                    "document.activeElement.value || document.activeElement.id || ''"))
            self.assertLessEqual({"pause", "ping", "ping-often", "echo", "write", "read", "forget",
                                  "palindrome"}, reached)
            self.browser.evaluate("document.querySelector('button[value=ping]').focus()")
            self.browser.press(SPACE)
            self.assertIn("200 OK", self.answer("ping"))

    def test_everything_to_fill_in_or_press_has_a_name(self):
        with self.visited():
            nameless = self.browser.evaluate("""
                [...document.querySelectorAll("input, textarea, button, svg[role=img], form")]
                    .filter((element) => !element.labels?.length && !element.ariaLabel &&
                        !element.hasAttribute("aria-labelledby") && !element.textContent.trim())
                    .map((element) => element.outerHTML)""".strip())
            self.assertEqual(nameless, [])

    def test_every_page_and_drawing_keeps_to_the_policy(self):
        """The Content-Security-Policy of the sample: the console reports violations"""
        self.expected_failures = [r"/favicon\.ico .* 404"]  # a drawing names no icon
        with self.serving() as server:
            files = [file for file in sorted(WWW.rglob("*")) if file.suffix in (".html", ".svg")]
            self.assertGreater(len(files), 5)
            for file in files:
                with self.subTest(file.name):
                    self.browser.open(server.url + str(file.relative_to(WWW)))
                    self.leave()
            response = server.get("/static/logo.svg")
            self.assertIn(b"<style>", response.body)
            self.assertIn("style-src", response.field("Content-Security-Policy"))

    def test_nothing_moves_for_who_prefers_that(self):
        self.browser.prefer(reduced_motion="reduce")
        with self.visited() as server, self.load(server):
            self.browser.await_true(f"{REQUESTS_PER_SECOND} >= 10")
            self.assertEqual(self.browser.evaluate("document.getAnimations().length"), 0)

    def test_page_fits_light_dark_and_a_phone(self):
        self.expected_failures = [r"/(echo|write|palindrome)\b.* 40[45]"]
        paper = "getComputedStyle(document.body).backgroundColor"
        with self.visited() as server, self.load(server):
            for trial in ("ping", "echo", "write", "palindrome"):
                self.ask(trial)
            self.browser.await_true(f"{REQUESTS_PER_SECOND} >= 10")
            self.keep_picture("light")
            light = self.browser.evaluate(paper)
            self.browser.prefer(color_scheme="dark")
            self.browser.await_true(f"{paper} !== '{light}'", "another paper in the dark")
            self.keep_picture("dark")
            self.browser.prefer(color_scheme="light")
            for width in (320, 390):
                self.browser.resize(width, 844, is_phone=True)
                self.browser.await_true(f"innerWidth === {width}", f"a page {width} wide")
                self.assertLessEqual(
                    self.browser.evaluate("document.documentElement.scrollWidth"), width)
            self.keep_picture("phone")


def server_stats(server):
    return json.loads(server.get("/stats?format=json").body)


def server_states(server):
    return server_stats(server)["connections"]["output"]


if __name__ == "__main__":
    harness.main()
