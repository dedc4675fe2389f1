"""The HTML report in a real browser: what is seen, clicked and typed; names that mean harm; sizes.

DETECT_SAMPLES and DETECT_PROGRAMS are the folders of the built lessons and test programs (ctest sets them).
DETECT_SCREENSHOTS, a folder, keeps a picture of what each test looked at.
"""

import json
import os
import pathlib
import random
import re
import time
import unittest

import browser
import dtlog
from detect_case import DETECT, ROOT, DetectCase

BUILD = pathlib.Path(DETECT).parent.parent
SAMPLES = pathlib.Path(os.environ.get("DETECT_SAMPLES") or BUILD / "samples")
PROGRAMS = pathlib.Path(os.environ.get("DETECT_PROGRAMS") or BUILD / "tests/e2e/programs")
SCREENSHOTS = os.environ.get("DETECT_SCREENSHOTS")
HOSTILE = (b"\"'</script><script>window.harm=1</script><img src=x onerror=window.harm=2>&amp;&lt;]]>--> `x` "
           b"javascript:1 ${harm} \\u003c\x1b[31m\r\n\xe2\x80\xae\xef\xbf\xbf\xff\xc3\x28")


def many_locks(count, edges, cycles):
    """A log of so many locks, most in order; `cycles` pairs of them in both orders."""
    dice, log, acq = random.Random(1), dtlog.Log(), 0
    program = b"/usr/bin/many"
    log.process([b"./many"], program)
    log.module(1, program, 0x400000, 0x400000, 0x401000 + 16 * count)
    for thread in (1, 2):
        log.segment(thread, thread)
        log.thread(thread, thread)
    for lock in range(1, count + 1):
        log.stack(lock, [0x401000 + 8 * lock])
        log.lock(lock, 0x10000000 + 64 * lock, first=lock)
    pairs = [(lock, min(count, lock + 1 + int(dice.expovariate(1 / 50))), 1) for lock in range(1, count)]
    pairs += [(lock, min(count, lock + dice.randrange(1, 50)), 1) for lock in (dice.randrange(1, count) for _ in range(edges - count))]
    for _ in range(cycles):
        lock = dice.randrange(1, count - 1)
        pairs += [(lock, lock + 1, 1), (lock + 1, lock, 2)]
    for held, wanted, thread in pairs:
        if held != wanted:
            log.acq(acq + 1, held, held)
            log.acq(acq + 2, wanted, wanted, parent=acq + 1)
            log.sighting(acq + 1, thread)
            log.sighting(acq + 2, thread)
            acq += 2
    log.exit(0)
    return log.bytes()


@unittest.skipUnless(browser.CHROMIUM, "chromium is not installed: the page is not looked at")
class PageCase(DetectCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def make(self, *args, env=None):
        """The report of some logs, as a file."""
        path = self.folder / "report.html"
        done = self.detect("report", "-f", "html", "-r", path, *args, env=env)
        self.assertIn(done.returncode, (0, 66), done.stderr)
        return path

    def lesson(self, name="bank-transfer-bug"):
        logs = self.folder / name
        self.detect("run", "-o", logs, "-r", "/dev/null", "--", SAMPLES / name)
        return logs

    def open(self, path, clean=True, **options):
        """A page without errors, which asked for nothing but itself."""
        page = self.browser.open(path, **options)
        self.addCleanup(page.close)
        if clean:
            self.addCleanup(self.check_clean, page)
        self.assertEqual(page.evaluate("document.documentElement.dataset.ready"), "yes", page.errors)
        page.frame()
        return page

    def check_clean(self, page):
        if SCREENSHOTS:
            page.screenshot(pathlib.Path(SCREENSHOTS) / f"{self.id().split('.')[-1]}.png")
        page.evaluate("1")
        self.assertEqual(page.errors, [])
        self.assertEqual(len(page.requests), 1, page.requests)


class Looks(PageCase):
    def test_finding(self):
        page = self.open(self.make(self.lesson()))
        self.assertIn("bank-transfer-bug", page.evaluate("document.title"))
        self.assertEqual(page.count("#list [role=option]"), 1)
        detail = page.text("#detail")
        for words in ("accounts[0].lock and accounts[1].lock", "What to change:", "thread 2 (teller_out)", "thread 3 (teller_back)",
                      "holding accounts[0].lock, acquired here:", "wants accounts[1].lock here:", "bug.c:48 in main"):
            self.assertIn(words, detail.replace("\xa0", " "))
        # Side by side, each with its sources and the line marked.
        boxes = page.evaluate("[...document.querySelectorAll('.thread')].map((it) => it.getBoundingClientRect().top)")
        self.assertEqual(len(boxes), 2)
        self.assertEqual(boxes[0], boxes[1])
        marked = page.evaluate("[...document.querySelectorAll('.event pre.source .at')].map((it) => it.textContent.trim())")
        self.assertEqual([re.sub(r"\s+", " ", line) for line in marked], 2 * ["20 pthread_mutex_lock(&from->lock);", "21 pthread_mutex_lock(&to->lock);"])
        self.assertEqual(page.count(".diagram .box"), 2)
        self.assertEqual(page.count("#plain"), 0)
        # A frame's source is closed and opened again.
        page.click("button.frame")
        self.assertEqual(page.count(".event pre.source"), 3)
        page.click("button.frame")
        self.assertEqual(page.count(".event pre.source"), 4)

    def test_nothing_found(self):
        page = self.open(self.make(self.lesson("bank-transfer-fix")))
        self.assertIn("No finding.", page.text("#shown"))
        self.assertIn("0 warnings", page.text("#counts"))
        page.click("#tab-graph")
        self.assertEqual((page.count(".lock"), page.count("#canvas .edge-line")), (2, 1))
        self.assertEqual(page.count("#canvas .finding, #canvas .cycle"), 0)

    def test_beside_another_format(self):
        path = self.folder / "beside.html"
        self.detect("run", "-f", f"html:{path}", "-r", "/dev/null", "--", SAMPLES / "bank-transfer-bug")
        page = self.open(path)
        page.click("#tab-graph")
        self.assertEqual(page.count(".lock"), 2)

    def test_light_and_dark(self):
        path = self.make(self.lesson())
        colours = {}
        for dark in (False, True):
            page = self.open(path, dark=dark)
            colours[dark] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        self.assertEqual((colours[False], colours[True]), ("rgb(250, 250, 250)", "rgb(19, 20, 24)"))
        page.click("#theme")  # from the system's to light, whatever the system says
        self.assertEqual(page.evaluate("getComputedStyle(document.body).backgroundColor"), colours[False])

    def test_graph_is_clicked(self):
        page = self.open(self.make(self.lesson()))
        page.click("#to-graph")
        self.assertEqual(page.count(".lock"), 2)
        self.assertEqual(page.count("path.edge-line.picked"), 1)  # both edges of the finding, in one path
        self.assertIn("Cycle of a finding", page.text("#graph-side"))
        page.click('.lock[aria-label^="accounts[1].lock"]')
        self.assertEqual(page.text("#graph-side h2"), "accounts[1].lock")
        self.assertEqual(page.count('.lock[aria-pressed="true"]'), 1)
        # The middle of an arrow, by the mouse.
        x, y = page.evaluate("""(() => {
            const view = PAGE.graphPart.view, points = [...view.layout.lines.values()][0].points, box = view.node.getBoundingClientRect();
            const middle = (a) => (points[0][a] + 3 * points[1][a] + 3 * points[2][a] + points[3][a]) / 8;
            return [box.left + (middle("x") - view.view.x) * view.view.k, box.top + (middle("y") - view.view.y) * view.view.k];
        })()""")
        page.click_at(x, y)
        self.assertEqual(page.text("#graph-side h2"), "accounts[0].lock → accounts[1].lock")
        self.assertEqual(page.count("#graph-side .source .at"), 2)
        page.click("#graph-side button:not(.link):not(.frame)")  # back to all locks
        self.assertIn("accounts[0].lock", page.text("#graph-side table"))

    def test_keyboard(self):
        logs = [self.lesson(name) for name in ("bank-transfer-bug", "dining-philosophers-bug", "three-way-cycle-bug")]
        page = self.open(self.make(*logs))
        selected = lambda: page.evaluate("document.querySelector('#list [aria-selected=true]').innerText")
        first = selected()
        page.key("j")
        self.assertNotEqual(selected(), first)
        page.key("k")
        self.assertEqual(selected(), first)
        page.key("/")
        self.assertEqual(page.evaluate("document.activeElement.id"), "search")
        page.type("journal philo")
        self.assertEqual(page.count("#list [role=option]"), 0)
        page.evaluate("document.activeElement.select()")
        page.type("journal")
        self.assertEqual(page.text("#shown"), "1 of 3 findings")
        for _ in range(8):  # over the filters to the list
            page.key("Tab")
            if page.evaluate("document.activeElement.id") == "list":
                break
        page.key("ArrowDown")
        self.assertIn("journal_lock", selected())
        page.key("Enter")
        self.assertEqual(page.evaluate("document.activeElement.id"), "detail")
        page.key("g")
        self.assertEqual(page.evaluate("document.querySelector('[role=tab][aria-selected=true]').id"), "tab-graph")
        page.evaluate("document.getElementById('canvas').focus()")
        page.key("Tab")
        name = page.evaluate("document.activeElement.getAttribute('aria-label').split(',')[0]")
        page.key("Enter")
        self.assertEqual(page.text("#graph-side h2"), name)
        before = page.evaluate("PAGE.graphPart.view.view.x")
        page.key("ArrowRight")
        page.key("+")
        self.assertGreater(page.evaluate("PAGE.graphPart.view.view.x"), before)

    def test_filters(self):
        logs = [self.lesson(name) for name in ("bank-transfer-bug", "cond-wait-while-holding-bug", "gate-lock-bug")]
        page = self.open(self.make("--verbose", *logs))
        self.assertEqual(page.count("#list [role=option]"), 2)
        page.click("#show-filtered")
        self.assertGreater(page.count("#list [role=option]"), 2)
        page.evaluate("(() => { const it = document.getElementById('rule'); it.value = 'wait-while-holding'; it.dispatchEvent(new Event('change')); })()")
        self.assertEqual(page.count("#list [role=option]"), 1)
        page.click("#show-warning")
        self.assertEqual(page.count("#list [role=option]"), 0)

    def test_address_names_the_finding(self):
        logs = [self.lesson(name) for name in ("bank-transfer-bug", "dining-philosophers-bug")]
        path = self.make(*logs)
        fingerprint = self.json_report(*logs)["findings"][1]["fingerprint"]
        page = self.open(path, fragment="#finding=" + fingerprint)
        self.assertIn(fingerprint, page.text("#detail"))
        self.assertEqual(page.evaluate("location.hash"), "#finding=" + fingerprint)
        page = self.open(path, fragment="#graph")
        self.assertEqual(page.count(".lock"), 7)

    def test_without_graphviz(self):
        page = self.open(self.make(self.lesson(), env={"PATH": "/nowhere"}))
        self.assertEqual(page.evaluate("Object.keys(DATA.graph.layouts)"), [])
        page.click("#tab-graph")
        self.assertEqual((page.count(".lock"), page.count("#canvas .edge-line.finding")), (2, 1))
        boxes = page.evaluate("[...document.querySelectorAll('.lock rect')].map((it) => it.getBoundingClientRect().top)")
        self.assertNotEqual(boxes[0], boxes[1])

    def test_source_changed_after_the_run(self):
        page = self.open(self.make(self.lesson()))
        self.assertNotIn("changed after the run", page.text("#detail"))
        page.evaluate("(() => { DATA.files.forEach((file) => { file.newer = true; }); PAGE.findingsPart.show(DATA.findings[0]); })()")
        self.assertIn("changed after the run", page.text("#detail"))


    def test_many_notices_leave_room(self):
        for i in range(9):
            self.write(f"{i}.dtlog", dtlog.inversion(dtlog.Log(pid=71 + i), program=b"/no/program%d" % i).bytes())
        page = self.open(self.make(self.folder))
        self.assertIn("9 notes on what limits this report", page.text("#notices"))
        self.assertLess(page.evaluate("document.getElementById('notices').offsetHeight"), 50)
        page.click("#notices summary")
        self.assertIn("/no/program8: No such file", page.text("#notices"))

    def test_narrow_window(self):
        page = self.open(self.make(self.lesson()), width=420, height=800)
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 420)
        page.click("#tab-graph")
        self.assertEqual(page.count(".lock"), 2)


class States(PageCase):
    def test_wait_for_cycle_of_a_deadlock(self):
        path = self.folder / "report.html"
        done = self.detect("run", "--on-deadlock=exit", "-f", "html", "-r", path, "--", PROGRAMS / "deadlock", "three")
        self.assertEqual(done.returncode, 66, done.stderr)
        page = self.open(path)
        self.assertIn("error deadlock", page.text("#detail h2"))
        self.assertEqual((page.count(".diagram .who"), page.count(".diagram .box")), (3, 3))
        titles = page.evaluate("[...document.querySelectorAll('.diagram .label')].map((it) => it.textContent)")
        self.assertEqual(sorted(titles), 3 * ["held by"] + 3 * ["waits for"])

    def test_self_deadlock(self):
        path = self.folder / "report.html"
        self.detect("run", "--on-deadlock=exit", "-f", "html", "-r", path, "--", PROGRAMS / "deadlock", "lock-twice")
        page = self.open(path)
        self.assertEqual((page.count(".diagram .who"), page.count(".diagram .box")), (1, 1))

    def test_diagrams_are_whole(self):
        """Also those of one thing that is wanted by who holds it: nothing is cut off, what is said of it is said once."""
        cases = ((SAMPLES / "connection-pool-bug", ["3 threads"]), (SAMPLES / "three-way-cycle-bug", None),
                 (PROGRAMS / "deadlock", None))
        for program, labels in cases:
            with self.subTest(program.name):
                path = self.folder / "report.html"
                words = ["lock-twice"] if program.name == "deadlock" else []
                self.detect("run", "--on-deadlock=exit", "-f", "html", "-r", path, "--", program, *words)
                page = self.open(path)
                if labels:
                    self.assertEqual(page.evaluate("[...document.querySelectorAll('.diagram .label')].map((it) => it.textContent)"), labels)
                outside = page.evaluate(
                    "(() => { const all = document.querySelector('.diagram').getBoundingClientRect();"
                    "return [...document.querySelectorAll('.diagram path, .diagram rect, .diagram text')].filter((it) => {"
                    "const b = it.getBoundingClientRect();"
                    "return b.top < all.top || b.left < all.left || b.bottom > all.bottom || b.right > all.right; }).length; })()")
                self.assertEqual(outside, 0)

    def test_bankers_matrices(self):
        """In the shape that the JSON format promises for unsafe-state."""
        self.write("log", dtlog.inversion().bytes())
        path = self.make("log")
        state = {"resources": [1, 2], "available": [0, 1], "stuck": [3], "threads": [
            {"thread": 2, "allocation": [1, 0], "claim": [1, 1], "need": [0, 1]},
            {"thread": 3, "allocation": [0, 0], "claim": [1, 1], "need": [7, 1]}]}
        text = path.read_text()
        self.assertEqual(text.count('"state":null'), 1)
        path.write_text(text.replace('"state":null', '"state":' + json.dumps(state)))
        page = self.open(path)
        self.assertEqual(page.evaluate("[...document.querySelectorAll('.banker caption')].map((it) => it.textContent.split(':')[0])"),
                         ["Available", "Allocation", "Claim", "Need"])
        rows = page.evaluate("[...document.querySelectorAll('.banker table')].map((t) => [...t.tBodies[0].rows].map((r) => [...r.cells].map((c) => c.textContent)))")
        self.assertEqual(rows[0], [["0", "1"]])
        self.assertEqual([row[1:] for row in rows[3]], [["0", "1"], ["7", "1"]])
        self.assertEqual(rows[3][1][0], 'thread 3 "auditor" (bank+0x2000) (can be stuck)')
        self.assertEqual(page.count(".banker tr.stuck"), 3)
        heads = page.evaluate("[...document.querySelectorAll('.banker table:last-child thead th')].map((it) => it.textContent)")
        self.assertIn("mutex first locked at bank+0x1010", heads)

    def test_contention(self):
        log = dtlog.inversion()
        log.stat(1, 1, acquisitions=1000, samples=10, hold=(5_000_000, 20_000), contended=3, wait=(900, 400))
        log.stat(2, 3, acquisitions=50, samples=50, hold=(1_000, 100), contended=25, wait=(7_250_000_000, 3_000_000_000))
        self.write("log", log.bytes())
        page = self.open(self.make("log"))
        page.click("#tab-contention")
        rows = lambda: page.evaluate("[...document.querySelectorAll('#panel-contention tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))")
        self.assertEqual(rows()[0], ["mutex first locked at bank+0x2010 mutex", "bank (71)", "50", "50.0 %", "7.25 s", "290 ms", "3.00 s",
                                     "1.00 µs", "20.0 ns", "100 ns", "bank+0x2010", "bank+0x2010"])
        self.assertEqual(rows()[1][2:9], ["1,000", "0.3 %", "900 ns", "300 ns", "400 ns", "5.00 ms", "5.00 µs"])
        page.click("#panel-contention th:nth-child(8) button")  # what is held most comes first
        self.assertEqual([row[7] for row in rows()], ["5.00 ms", "1.00 µs"])
        # Without figures there is no such part.
        self.write("bare", dtlog.inversion().bytes())
        self.assertEqual(self.open(self.make("bare")).count("#tab-contention"), 0)

    def test_tables_are_sorted(self):
        logs = [self.lesson(name) for name in ("bank-transfer-bug", "dining-philosophers-bug", "three-way-cycle-bug")]
        page = self.open(self.make(*logs))
        page.click("#tab-processes")
        column = lambda: page.evaluate("[...document.querySelectorAll('#panel-processes tbody tr')].map((row) => Number(row.cells[6].textContent))")
        locks = column()
        page.click("#panel-processes th:nth-child(7) button")
        self.assertEqual(column(), sorted(locks, reverse=True))
        page.click("#panel-processes th:nth-child(7) button")
        self.assertEqual(column(), sorted(locks))
        self.assertEqual(page.evaluate("document.querySelector('#panel-processes th:nth-child(7)').getAttribute('aria-sort')"), "ascending")


class Harm(PageCase):
    def test_hostile_names(self):
        program = b"/usr/bin/" + HOSTILE.replace(b"/", b"|")
        self.write("log", dtlog.inversion(program=program, names=(HOSTILE, HOSTILE[::-1])).bytes())
        path = self.make("log")
        before = "window.scripts = () => document.querySelectorAll('script').length;"
        page = self.open(path, before=before)
        for part in ("findings", "graph", "processes"):
            page.evaluate(f"PAGE.open('{part}')")
            page.frame()
        page.evaluate("PAGE.graphPart.choose({edge: 0})")
        self.assertIsNone(page.evaluate("window.harm"))
        self.assertEqual((page.evaluate("scripts()"), page.count("img, iframe, object, embed, a, link, base, form")), (2, 0))
        said = "</script><script>window.harm=1</script><img src=x onerror=window.harm=2>&amp;&lt;]]>-->"
        seen = page.evaluate("PAGE.findingsPart.detail.textContent")
        self.assertIn(said, seen)
        self.assertIn("\\x1B[31m\\x0D\\x0A\\u{202E}", seen)
        self.assertNotRegex(page.evaluate("document.documentElement.textContent.replace(document.getElementById('data').textContent, '')"),
                            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\uffff]")

    def test_what_was_let_in_could_not_act(self):
        """The second wall: the policy stops scripts, handlers and the network even if a name were made markup."""
        self.write("log", dtlog.inversion().bytes())
        page = self.open(self.make("log"), clean=False)
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x.png\" onerror=\"window.harm=1\"><a id=a href=\"javascript:window.harm=2\">a</a>')")
        page.evaluate("(() => { const it = document.createElement('script'); it.textContent = 'window.harm=3'; document.body.append(it); document.getElementById('a').click(); })()")
        page.evaluate("new Promise((done) => setTimeout(done, 100))")
        self.assertIsNone(page.evaluate("window.harm"))
        self.assertEqual(page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"), "refused")
        self.assertTrue(any("Content Security Policy" in error for error in page.errors), page.errors)


class Sizes(PageCase):
    def test_a_thousand_findings(self):
        self.write("log", dtlog.many_findings(1000).bytes())
        page = self.open(self.make("log"))
        self.assertLess(page.load_seconds, 10)
        self.assertEqual(page.text("#shown"), "1,000 of 1,000 findings")
        self.assertEqual(page.count("#list [role=option]"), 200)
        page.key("/")
        begin = time.monotonic()
        page.type("0x9000")
        self.assertLess(time.monotonic() - begin, 3)
        self.assertLess(page.count("#list [role=option]"), 10)
        self.assertGreater(page.count("#list [role=option]"), 0)
        page.evaluate("PAGE.findingsPart.search.value = ''; PAGE.findingsPart.filter()")
        begin = time.monotonic()
        page.evaluate("PAGE.findingsPart.list.focus()")
        for _ in range(20):
            page.key("ArrowDown")
        page.key("End")
        self.assertLess(time.monotonic() - begin, 10)
        self.assertIn("true", page.evaluate("document.querySelector('#list li:last-child').getAttribute('aria-selected')"))
        self.assertEqual(page.count("#list [role=option]"), 1000)

    def test_five_thousand_locks(self):
        self.write("log", many_locks(5000, 9000, 20))
        page = self.open(self.make("log"))
        begin = time.monotonic()
        page.click("#tab-graph")
        self.assertGreater(page.count(".lock"), 20)  # those on cycles
        page.evaluate("PAGE.graphPart.choice.value = 'all'; PAGE.graphPart.redraw()")
        page.frame()
        self.assertLess(time.monotonic() - begin, 15)
        self.assertEqual(page.evaluate("PAGE.graphPart.view.layout.at.size"), 5000)
        self.assertLess(page.count("#canvas *"), 1000)
        # Moving and zooming stays quick: frames of both kinds of drawing.
        begin = time.monotonic()
        for _ in range(10):
            page.evaluate("PAGE.graphPart.view.move(90, 60)")
            page.frame()
        for _ in range(10):
            page.evaluate("PAGE.graphPart.view.zoom(1.4)")
            page.frame()
        self.assertLess(time.monotonic() - begin, 10)
        page.evaluate("document.getElementById('graph-search').focus()")
        page.type("many+0x20a0")
        page.key("Enter")
        self.assertEqual(page.text("#graph-side h2"), "mutex first locked at many+0x20a0")
        self.assertEqual(page.count(".lock.picked"), 1)
        page.click(".lock.picked")
        self.assertEqual(page.text("#graph-side h2"), "mutex first locked at many+0x20a0")
        # Far away, where boxes are too small for names, a click still finds one.
        page.evaluate("PAGE.graphPart.view.fit()")
        page.frame()
        self.assertEqual(page.count(".lock"), 0)
        x, y = page.evaluate("""(() => { const view = PAGE.graphPart.view, p = view.layout.at.get(42), box = view.node.getBoundingClientRect();
            return [box.left + (p.x - view.view.x) * view.view.k, box.top + (p.y - view.view.y) * view.view.k]; })()""")
        page.click_at(x, y)
        self.assertEqual(page.evaluate("PAGE.graphPart.pick.lock"), 42)
        page.evaluate("PAGE.graphPart.choice.value = 'near'; PAGE.graphPart.redraw()")
        page.frame()
        self.assertIn(page.count(".lock"), range(2, 200))


if __name__ == "__main__":
    unittest.main()
