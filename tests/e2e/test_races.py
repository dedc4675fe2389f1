"""Data races in code that the compiler has instrumented with -fsanitize=thread, linked to the shim."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from detect_e2e import DETECT, PRELOAD, SOURCES


class Races(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="detect-races-")
        cls.programs = []
        for compiler in filter(shutil.which, ("gcc", "clang")):
            made = pathlib.Path(cls.folder.name) / f"race-{compiler}"
            # Instrumented, and linked without the compiler's own runtime.
            subprocess.run([compiler, "-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-fsanitize=thread", "-c",
                            str(SOURCES / "race.c"), "-o", f"{made}.o"], check=True)
            subprocess.run([compiler, f"{made}.o", "-o", str(made), str(PRELOAD), f"-Wl,-rpath,{PRELOAD.parent}",
                            "-pthread"], check=True)
            cls.programs.append(made)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def findings(self, program, case):
        report = pathlib.Path(self.folder.name) / "report.json"
        done = subprocess.run([str(DETECT), "run", "--format=json", f"--report={report}", "--", str(program), case],
                              stderr=subprocess.PIPE, timeout=60)
        found = json.loads(report.read_text())["findings"]
        self.assertEqual(done.returncode, 66 if found else 0, done.stderr)
        return found

    def races(self, case, rules, variable):
        for program in self.programs:
            for _ in range(5):
                with self.subTest(case=case, program=program.name):
                    found = self.findings(program, case)
                    # Which of the two it is depends on who took a lock first.
                    self.assertTrue(found, "no race was found")
                    for finding in found:
                        self.assertIn(finding["rule"], rules)
                        self.assertIn(f"`{variable}`", finding["message"])
                        for event in finding["events"]:
                            self.assertTrue(event["stack"], event)

    def clean(self, case):
        for program in self.programs:
            for _ in range(5):
                with self.subTest(case=case, program=program.name):
                    self.assertEqual([f["message"] for f in self.findings(program, case)], [])

    def test_counters(self):
        self.races("counter", {"data-race"}, "total")
        self.races("half-locked", {"data-race", "predicted-race"}, "total")
        self.races("wrong-lock", {"data-race", "predicted-race"}, "total")
        self.clean("locked")
        self.clean("in-turn")

    def test_publication(self):
        self.races("relaxed", {"data-race"}, "payload")
        self.clean("release")
        self.clean("semaphore")

    def test_plain_flag(self):
        for program in self.programs:
            found = self.findings(program, "plain-flag")
            self.assertEqual({f["rule"] for f in found}, {"data-race"})
            self.assertTrue(any("`plain_flag`" in f["message"] or "`payload`" in f["message"] for f in found))


if __name__ == "__main__":
    unittest.main()
