"""detect confirm: predicted cycles that can close do close; those that can't are never said to."""

import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from detect_case import DetectCase
from detect_e2e import DETECT, PRELOAD, PROGRAMS, run_bare

ATTEMPTS = 8

# Cases of steer.c and steer_cpp.cc: (program, case, threads of the deadlock; 0: a stall).
CAN_CLOSE = [("steer", case, threads) for case, threads in (
    ("two", 2), ("late", 2), ("early", 2), ("three", 3), ("four", 4), ("six", 6), ("rwlocks", 2), ("mixed", 2),
    ("recursive", 2), ("tried", 2), ("timed", 2), ("functions", 2), ("heap", 3), ("windows", 2), ("same-code", 2),
    ("bank", 2), ("pool", 2), ("dining", 5), ("between", 2), ("made-by-it", 2), ("under-third", 2), ("crowded", 2),
    ("spins", 2), ("child", 2), ("processes", 2), ("unit", 0))] + [(f"steer_cpp{level}", case, 2) for level in (0, 2) for case in ("guards", "shared")]
CANNOT_CLOSE = [("steer", case) for case in (
    "flag", "condition", "semaphore", "pipe", "rwlocks-by-flag", "three-by-flag", "turns")]


def record(folder, program, *arguments):
    """The logs of a run that ended well. What only time keeps from closing does close now and then: again, then."""
    logs = Path(folder) / "logs"
    for _ in range(5):
        shutil.rmtree(logs, ignore_errors=True)
        done = subprocess.run([str(DETECT), "run", f"--output={logs}", "--fail-on=never", "--quiet", "--report=/dev/null",
                               "--on-deadlock=exit", "--", str(PROGRAMS / program), *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if done.returncode == 0:
            return logs
    raise AssertionError(f"{program} {arguments}: status {done.returncode}\n{done.stderr.decode()}")


def confirm(logs, program, *arguments, options=(), attempts=ATTEMPTS, stdin=subprocess.DEVNULL, env=None):
    """`detect confirm`: (status, result as JSON has it, stdout bytes, stderr bytes)."""
    result = Path(logs).parent / "result.json"
    done = subprocess.run([str(DETECT), "confirm", "--format=json", f"--report={result}", f"--attempts={attempts}",
                           *options, str(logs), "--", str(PROGRAMS / program), *arguments],
                          stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                          env={**os.environ, **(env or {})})
    text = result.read_text() if result.exists() else "null"
    return done.returncode, json.loads(text), done.stdout, done.stderr


class ConfirmCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="detect-confirm-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def confirm(self, program, *arguments, **keywords):
        logs = record(tempfile.mkdtemp(dir=self.folder), program, *arguments)
        return confirm(logs, program, *arguments, **keywords)

    def confirm_all(self, rows, attempts):
        """(program, case, *rest of the row, status, result): some at a time, for most of it is naps."""
        def work(row):
            status, result, _, said = self.confirm(*row[:2], attempts=attempts)
            self.assertIn(status, (0, 1), said)
            return (*row, status, result)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(work, [row for row in rows if (PROGRAMS / row[0]).exists()]))

    def check_deadlock(self, finding, edges):
        """What closed is what was predicted: the same functions at the same edges."""
        deadlock = finding["deadlock"]
        self.assertEqual((deadlock["rule"], deadlock["level"]), ("deadlock" if edges else "stall", "error"))
        if edges:
            self.assertEqual(len(deadlock["state"]["cycle"]), edges)
        # What else was held then is told too, and in a stall who else waits.
        self.assertLessEqual(self.places(finding), self.places(deadlock))

    def places(self, finding):
        return {(event["what"] == "hold", event["stack"][0]["offset"]) for event in finding["events"]}


class Cycles(ConfirmCase):
    def test_that_can_close(self):
        for program, case, threads, status, result in self.confirm_all(CAN_CLOSE, ATTEMPTS):
            with self.subTest(program=program, case=case):
                self.assertEqual(status, 0, result)
                for finding in result["findings"]:
                    self.assertTrue(finding["confirmed"])
                    self.assertEqual(finding["rule"], "lock-order-cycle")
                    self.check_deadlock(finding, threads)

    def test_that_cannot_close(self):
        for program, case, status, result in self.confirm_all(CANNOT_CLOSE, 2):
            with self.subTest(program=program, case=case):
                self.assertEqual(status, 1)
                self.assertEqual(result["summary"]["confirmed"], 0)
                for finding in result["findings"]:
                    self.assertEqual((finding["confirmed"], finding["attempts"], finding["deadlock"]),
                                     (False, 2, None))

    def test_one_of_two(self):
        logs = record(self.folder, "steer", "two-cycles")
        status, result, _, _ = confirm(logs, "steer", "two-cycles", attempts=3)
        self.assertEqual(status, 1)
        self.assertEqual((result["summary"]["asked"], result["summary"]["confirmed"]), (2, 1))
        (possible,) = [finding for finding in result["findings"] if finding["confirmed"]]
        self.assertEqual(sorted(lock["name"] for lock in possible["locks"]), ["a", "b"])

        # Only the one that is asked for, by the first digits of its fingerprint.
        wanted = possible["fingerprint"][:12]
        status, result, _, _ = confirm(logs, "steer", "two-cycles", options=[f"--finding={wanted}"])
        self.assertEqual(status, 0)
        self.assertEqual([finding["fingerprint"] for finding in result["findings"]], [possible["fingerprint"]])


class Lessons(ConfirmCase):
    """The samples, as their readers try it."""

    def test_lessons(self):
        lessons = Path(os.environ["DETECT_SAMPLES"])
        for lesson in ("bank-transfer", "dining-philosophers", "semaphore-as-lock"):
            logs = record(tempfile.mkdtemp(dir=self.folder), lessons / f"{lesson}-bug")
            for free, wanted in (({"LESSON_FREE": "1"}, 0), ({}, 1)):
                with self.subTest(lesson=lesson, free=free):
                    status, result, _, said = confirm(logs, lessons / f"{lesson}-bug", attempts=2, env=free)
                    self.assertEqual(status, wanted, said)


class Runs(ConfirmCase):
    def test_ends_at_the_deadlock(self):
        """The program would go on for a minute."""
        logs = record(self.folder, "steer", "two")
        begin = time.monotonic()
        status, _, _, _ = confirm(logs, "steer", "endless")
        self.assertEqual(status, 0)
        self.assertLess(time.monotonic() - begin, 20)

    def test_is_ended_by_the_timeout(self):
        logs = record(self.folder, "steer", "flag")
        status, result, _, _ = confirm(logs, "steer", "hangs", options=["--attempt-timeout=1"], attempts=2)
        self.assertEqual(status, 1)
        self.assertEqual(result["findings"][0]["timeouts"], 2)
        left = subprocess.run(["pgrep", "-f", f"{PROGRAMS}/steer hangs"], stdout=subprocess.PIPE)
        self.assertEqual(left.stdout, b"", "nothing of an attempt stays behind")

    def test_leaves_the_programs_streams_alone(self):
        logs = record(self.folder, "steer", "echo")
        text = Path(self.folder) / "input"
        text.write_text("word\n")
        for options, written in (((), b"word\n" * 3), (("--quiet",), b"")):
            with text.open() as stdin:
                status, _, out, said = confirm(logs, "steer", "echo", options=options, attempts=3, stdin=stdin)
            self.assertEqual((status, out), (1, written), said)
            self.assertEqual(said, b"")

    def test_another_deadlock_confirms_nothing(self):
        logs = record(self.folder, "steer", "two")
        status, result, _, _ = confirm(logs, "deadlock", "two", attempts=3)
        (finding,) = result["findings"]
        self.assertEqual((status, finding["confirmed"], finding["other_deadlocks"]), (1, False, 3))

    def test_says_when_it_is_another_program(self):
        logs = record(self.folder, "steer", "flag")
        for case, unseen in (("flag", False), ("nothing", True)):
            _, result, _, _ = confirm(logs, "steer", case, attempts=1)
            self.assertEqual(result["findings"][0]["unseen"], unseen, case)

    def test_says_when_the_program_crashes(self):
        logs = record(self.folder, "steer", "flag")
        for case, crashes in (("crashes", 2), ("flag", 0)):
            status, result, _, _ = confirm(logs, "steer", case, attempts=2)
            self.assertEqual((status, result["findings"][0]["crashes"]), (1, crashes), case)
        done = subprocess.run([str(DETECT), "confirm", "--attempts=2", str(logs), "--", str(PROGRAMS / "steer"), "crashes"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertIn(b"was ended by SIGABRT in 2 of them, first in attempt 1", done.stderr)

    def test_interrupted(self):
        """Who presses ^C does not want 19 more."""
        logs = record(self.folder, "steer", "flag")
        with subprocess.Popen([str(DETECT), "confirm", str(logs), "--", str(PROGRAMS / "steer"), "hangs"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
            time.sleep(1)
            started.send_signal(signal.SIGINT)
            _, said = started.communicate(timeout=20)
        self.assertEqual(started.returncode, 128 + signal.SIGINT)
        self.assertIn(b"not reproduced in 1 attempt", said)

    def test_text(self):
        logs = record(self.folder, "steer", "two")
        done = subprocess.run([str(DETECT), "confirm", str(logs), "--", str(PROGRAMS / "steer"), "two"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        said = done.stderr.decode()
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        for words in ("confirmed: it closed in attempt", "ERROR: deadlock", "a_then_b", "1 of 1 confirmed"):
            self.assertIn(words, said)
        done = subprocess.run([str(DETECT), "confirm", "--attempts=2", str(logs), "--", str(PROGRAMS / "steer"), "nothing"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not reproduced in 2 attempts", done.stderr.decode())

    def test_bad_plans_steer_nothing(self):
        """The shim takes no plan on trust: cut, garbage, none, a folder."""
        whole = b"DTSTEER\n" + (1).to_bytes(4, "little") + b"\xff" * 2000
        for content in (b"", b"DTSTEER\n", b"\0" * 4096, whole, whole[:2000]):
            plan = Path(self.folder) / "plan"
            plan.write_bytes(content)
            status, out, said = run_bare("steer", "two",
                                         env={"LD_PRELOAD": str(PRELOAD), "DETECT_OPTIONS": f"steer={plan}:online=no"})
            self.assertEqual((status, out), (0, b""), said)
            self.assertIn(b"no plan", said)


class Usage(DetectCase):
    """One line that says what is wrong, and status 2."""

    def confirm(self, *args):
        return self.detect("confirm", *args)

    def setUp(self):
        super().setUp()
        self.program = PROGRAMS / "steer"
        self.logs = record(self.folder, "steer", "two")

    def test_errors(self):
        self.assert_line(self.confirm(), 2, "LOG")
        self.assert_line(self.confirm(self.logs), 2, "PROGRAM")
        self.assert_line(self.confirm(self.folder / "none", "--", self.program), 2, "none")
        self.assert_line(self.confirm(self.write("bad.dtlog", "no log"), "--", self.program), 2, "bad.dtlog")
        self.assert_line(self.confirm("--finding=zz", self.logs, "--", self.program), 2, "zz", "no finding")
        self.assert_line(self.confirm("--finding=", self.logs, "--", self.program), 2, "no finding")
        self.assert_line(self.confirm("--attempts=0", self.logs, "--", self.program), 2, "--attempts")
        self.assert_line(self.confirm("--attempt-timeout=x", self.logs, "--", self.program), 2, "--attempt-timeout")
        self.assert_line(self.confirm("--format=html", self.logs, "--", self.program), 2, "html")
        self.assert_line(self.confirm(self.logs, "--", self.folder / "missing"), 127, "missing")
        self.assert_line(self.confirm(self.logs, "--", self.folder), 126)
        self.assert_line(self.confirm("--report=/none/x", self.logs, "--", self.program), 2, "/none/x")

    def test_nothing_to_confirm(self):
        clean = record(self.folder / "tmp", "steer", "nothing")
        self.assert_line(self.confirm(clean, "--", self.program), 2, "nothing to confirm")

    def test_leaves_nothing_behind(self):
        self.confirm("--attempts=2", "--quiet", self.logs, "--", self.program, "two")
        self.assertEqual(list(self.temporary.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
