"""A headless Chromium, driven over the DevTools protocol through its pipe (no port, no other module).

    with Browser() as browser:
        page = browser.open(path)
        page.evaluate("document.title")

Whatever the page asks for, prints as an error or throws is kept in page.requests and page.errors.
"""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT_S = 60


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="detect-browser-")
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()

        def pipes():
            # Away from 3 and 4 first: either may be where the other has to go.
            ours, theirs = os.dup(to_read), os.dup(from_write)
            high = [os.dup2(ours, 200), os.dup2(theirs, 201)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        # Its own folder for everything: a test may run where there is no home.
        environment = {**os.environ, "HOME": self.folder, "XDG_CONFIG_HOME": self.folder, "XDG_CACHE_HOME": self.folder}
        self.child = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-extensions", f"--user-data-dir={self.folder}/profile", "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=pipes,
            env=environment)
        os.close(to_read)
        os.close(from_write)
        self.out, self.inn = to_write, from_read
        self.buffer, self.count, self.pages = b"", 0, {}

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        try:
            self.call("Browser.close")
            self.child.wait(10)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self.child.kill()
            self.child.wait()
        os.close(self.out)
        os.close(self.inn)
        shutil.rmtree(self.folder, ignore_errors=True)

    def read(self, deadline):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.inn], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise RuntimeError("the browser does not answer")
            more = os.read(self.inn, 1 << 16)
            if not more:
                raise RuntimeError("the browser has ended")
            self.buffer += more
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            answer = self.read(deadline)
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if answer.get("sessionId") in self.pages:
                self.pages[answer["sessionId"]].on_event(answer["method"], answer["params"])

    def open(self, path, width=1400, height=900, dark=False, before=None, fragment=""):
        """A file in a new page, loaded. `before`: a script that runs before those of the page."""
        return Page(self, pathlib.Path(path).resolve().as_uri() + fragment, width, height, dark, before)


class Page:
    def __init__(self, browser, address, width, height, dark, before):
        self.browser, self.errors, self.requests, self.loaded = browser, [], [], False
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.target = target
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        if before:
            self.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        begin = time.monotonic()
        self.call("Page.navigate", url=address)
        while not self.loaded:
            self.evaluate("1")
            if time.monotonic() - begin > TIMEOUT_S:
                raise RuntimeError(f"{address} is not loaded")
        self.load_seconds = time.monotonic() - begin

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def on_event(self, method, parameters):
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.errors.append(str(parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(parameters["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def evaluate(self, script):
        """The value of an expression, which may be a promise."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"].get("exception", {}).get("description") or str(done["exceptionDetails"]))
        return done["result"].get("value")

    def frame(self):
        """Wait until what was changed is drawn."""
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def key(self, key, text=None, code=None):
        """One key, pressed and released. `key` as KeyboardEvent.key has it."""
        codes = {"Enter": 13, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37, "ArrowRight": 39, " ": 32}
        text = text if text is not None else ("\r" if key == "Enter" else key if len(key) == 1 else "")
        common = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)
        self.frame()

    def type(self, text):
        self.call("Input.insertText", text=text)
        self.frame()

    def click_at(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.frame()

    def click(self, selector):
        """The middle of the first element that a selector finds, by the mouse."""
        box = self.evaluate(f"(() => {{ const it = document.querySelector({json.dumps(selector)}); if (!it) return null;"
                            "it.scrollIntoView({block: 'nearest'}); const b = it.getBoundingClientRect();"
                            "return [b.x + b.width / 2, b.y + b.height / 2]; })()")
        if not box:
            raise RuntimeError(f"nothing is {selector}")
        self.click_at(*box)

    def text(self, selector="body"):
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def count(self, selector):
        return self.evaluate(f"document.querySelectorAll({json.dumps(selector)}).length")

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
