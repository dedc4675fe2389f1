"""What else is made of each lesson's logs, each read by what others wrote: the lock-order graph (dot, an XML parser), the
timeline (the trace format's rules), merged facts (sqlite3), the page (a browser). test_formats.py has the other formats.

DETECT_SAMPLES is the folder of the built lessons (ctest sets it). DETECT_LESSONS=all tries all of them (tests/e2e/run-formats
sets it), else one of each kind.
"""

import json
import os
import pathlib
import sqlite3
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree

import browser
import test_export
from detect_case import DETECT, DetectCase

SAMPLES = pathlib.Path(os.environ.get("DETECT_SAMPLES") or pathlib.Path(DETECT).parent.parent / "samples")
OF_EACH_KIND = ("bank-transfer", "cond-wait-while-holding", "connection-pool", "race-counter", "race-only-luck", "real-deadlock",
                "signal-handler", "two-pools", "two-processes", "unlock-twice")
# Found by putting the processes' logs beside each other, which merging doesn't.
BETWEEN_PROCESSES = ("two-processes-bug",)


class Lessons(DetectCase):
    maxDiff = None
    check_trace = test_export.Export.check

    def setUp(self):
        super().setUp()
        self.browser = browser.Browser()
        self.addCleanup(self.browser.close)

    def succeed(self, *args, status=(0,)):
        done = self.detect(*args)
        self.assertIn(done.returncode, status, done.stderr)
        return done.stdout

    def check_graph(self, logs):
        plain = subprocess.run(["dot", "-Tplain"], input=self.succeed("graph", logs), stdout=subprocess.PIPE, check=True).stdout.decode()
        svg = ElementTree.fromstring(self.succeed("graph", "-f", "svg", logs))
        self.assertEqual(svg.tag, "{http://www.w3.org/2000/svg}svg")
        nodes = svg.findall(".//{http://www.w3.org/2000/svg}g[@class='node']")
        self.assertEqual(sum("node" in group.get("class", "").split() for group in svg.iter()), len(nodes))
        self.assertEqual(sum(line.startswith("node ") for line in plain.splitlines()), len(nodes))

    def check_database(self, name, logs):
        """What one run shows is in the database to the last member."""
        facts = self.folder / f"{name}.db"
        self.succeed("merge", "-q", "-o", facts, logs)
        with sqlite3.connect(facts) as database:
            self.assertEqual(database.execute("pragma integrity_check").fetchall(), [("ok",)])
            self.assertEqual(database.execute("pragma foreign_key_check").fetchall(), [])
        reports = []
        for source in (logs, facts):
            report = json.loads(self.succeed("report", "-f", "json", source, status=(0, 66)))
            for finding in report["findings"]:
                finding.pop("runs", None)
            reports.append(sorted(report["findings"], key=lambda finding: (finding["rule"], finding["fingerprint"])))
        if name not in BETWEEN_PROCESSES:
            self.assertEqual(reports[1], reports[0])
        return reports[0]

    def check_page(self, logs, findings):
        path = self.folder / "report.html"
        self.succeed("report", "-f", "html", "-r", path, logs, status=(0, 66))
        page = self.browser.open(path)
        self.assertEqual(page.evaluate("document.documentElement.dataset.ready"), "yes", page.errors)
        page.frame()
        self.assertEqual(page.count("#list [role=option]"), len(findings))
        for row in range(len(findings)):
            page.click(f"#list [role=option]:nth-child({row + 1})")
        for tab in ("#tab-graph", "#tab-contention"):
            if page.count(tab):  # where there is anything to show
                page.click(tab)
        self.assertEqual(page.errors, [])
        self.assertEqual([url for url in page.requests if not url.startswith("file:")], [])
        page.close()

    def test_every_lesson(self):
        programs = [SAMPLES / f"{name}-bug" for name in OF_EACH_KIND]
        if os.environ.get("DETECT_LESSONS") == "all":
            self.assertLess(set(programs), set(SAMPLES.glob("*-bug")))
            programs = sorted(SAMPLES.glob("*-bug"))
        rules, members = set(), set()
        for program in programs:
            with self.subTest(lesson=program.name):
                logs = self.folder / program.name
                self.detect("run", "--on-deadlock=exit", "-o", logs, "-r", "/dev/null", "--", program)
                findings = self.check_database(program.name, logs)
                self.check_graph(logs)
                self.check_trace(json.loads(self.succeed("export", logs)))
                self.check_page(logs, findings)
                rules |= {finding["rule"] for finding in findings}
                members |= {member for finding in findings for member in ("memory", "state") if finding.get(member)}
        self.assertGreaterEqual(rules, {"lock-order-cycle", "deadlock", "unsafe-state", "data-race", "predicted-race", "lock-in-signal-handler"})
        self.assertEqual(members, {"memory", "state"})


if __name__ == "__main__":
    unittest.main()
