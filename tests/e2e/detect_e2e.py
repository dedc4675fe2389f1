"""Runs a test program under detect and gives what was found in a form that tests can compare.

DETECT_BIN       the command; without it the first build tree of this checkout
DETECT_PROGRAMS  the folder of the built programs; without it tests/e2e/programs in that build tree
"""
import collections
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "tests/e2e/programs"
TIMEOUT_S = 60


def _first(pattern):
    found = sorted(ROOT.glob(pattern))
    return found[0] if found else ROOT / pattern


DETECT = pathlib.Path(os.environ.get("DETECT_BIN") or _first("build/*/bin/detect"))
BUILD = DETECT.parent.parent
PROGRAMS = pathlib.Path(os.environ.get("DETECT_PROGRAMS") or BUILD / "tests/e2e/programs")
PRELOAD = pathlib.Path(os.environ.get("DETECT_PRELOAD") or BUILD / "lib/libdetect_preload.so")

Run = collections.namedtuple("Run", "status report stdout stderr")


def run_bare(program, *arguments, env=None, timeout=TIMEOUT_S):
    """The program without anything: (status, stdout bytes, stderr bytes)."""
    done = subprocess.run([str(PROGRAMS / program), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **(env or {})}, timeout=timeout)
    return done.returncode, done.stdout, done.stderr


def run_detect(program, *arguments, options=(), env=None, timeout=TIMEOUT_S):
    """`detect run` of one program: Run(status, report as JSON has it, stdout bytes, stderr bytes)."""
    with tempfile.TemporaryDirectory(prefix="detect-e2e-") as folder:
        report = pathlib.Path(folder) / "report.json"
        command = [str(DETECT), "run", "--format=json", f"--report={report}", *options, "--",
                   str(PROGRAMS / program), *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, **(env or {})}, timeout=timeout)
        text = report.read_text() if report.exists() else None
    if text is None:
        raise AssertionError(f"{' '.join(command)}: status {done.returncode}, no report\n{done.stderr.decode()}")
    return Run(done.returncode, json.loads(text), done.stdout, done.stderr)


def lock_names(finding):
    """Sorted names of a finding's locks; of a cycle's those on the circle, without what else is held."""
    circle = {event["lock"] for event in finding["events"] if event["what"] == "acquire"}
    return sorted(lock["name"] for lock in finding["locks"]
                  if finding["rule"] != "lock-order-cycle" or lock["id"] in circle)


def acting_threads(finding):
    """The threads of a finding's events, without those that only created them."""
    acting = {event["thread"] for event in finding["events"]}
    return [thread for thread in finding["threads"] if thread["id"] in acting]


def brief(finding):
    """What identifies a finding for a test: rule, level and locks."""
    return (finding["rule"], finding["level"], *lock_names(finding))


def cycle(*locks, level="warning"):
    """The brief of a lock-order cycle."""
    return ("lock-order-cycle", level, *sorted(locks))


def line_of(source, marker):
    """The number of the line of a test program that has the comment `line: marker`."""
    for number, line in enumerate((SOURCES / source).read_text().splitlines(), 1):
        if re.search(rf"line: {re.escape(marker)}\b", line):
            return number
    raise AssertionError(f"{source} has no line marked {marker}")


def lines_in(event, source):
    """Line numbers of an event's stack that lie in one source file, innermost first."""
    return [frame["line"] for frame in event["stack"] if (frame["file"] or "").endswith(source)]


class ShimCase(unittest.TestCase):
    """Assertions about what one case of one program gives."""

    maxDiff = None

    def run_case(self, program, case, status=0, **keywords):
        """Run and check that the program itself went well. `status` is the program's own."""
        run = run_detect(program, *case.split(), **keywords)
        said = f"{program} {case}: {run.stderr.decode(errors='replace')}"
        bad = any(finding["level"] in ("warning", "error") for finding in run.report["findings"])
        self.assertEqual(run.status, 66 if bad else status, said)
        ends = [process["signal"] and 128 + process["signal"] or process["exit"]
                for process in run.report["processes"]]
        self.assertIn(status, ends, said)
        return run

    def assert_finds(self, program, case, *wanted, **keywords):
        """Exactly these findings, by brief. Returns the run."""
        with self.subTest(program=program, case=case):
            run = self.run_case(program, case, **keywords)
            found = sorted(brief(finding) for finding in run.report["findings"])
            self.assertEqual(found, sorted(wanted), f"{program} {case}")
            return run
        return None

    def assert_clean(self, program, case, **keywords):
        """No finding at all, notes included."""
        return self.assert_finds(program, case, **keywords)
