"""Locks of signal handlers, and all that a program may do with handlers and masks."""

import pathlib
import statistics
import subprocess
import tempfile
import unittest

from detect_e2e import DETECT, PROGRAMS, ShimCase, brief, run_bare, run_detect

FINDING = ("lock-in-signal-handler", "warning", "journal")


class Handlers(ShimCase):
    def finds(self, case):
        with self.subTest(case=case):
            run = run_detect("handlers", case)
            self.assertEqual([brief(finding) for finding in run.report["findings"]], [FINDING])
            self.assertEqual(run.status, 66)
            return run.report["findings"][0]

    def clean(self, case):
        with self.subTest(case=case):
            run = run_detect("handlers", case)
            self.assertEqual([brief(finding) for finding in run.report["findings"]], [])
            self.assertEqual((run.status, run.stderr), (0, b""))

    def test_locks_and_is_interruptible(self):
        finding = self.finds("plain")
        self.assertEqual([(event.get("handler"), event.get("interruptible")) for event in finding["events"]],
                         [("SIGUSR1", None), (None, "SIGUSR1")])
        self.assertIn("SIGUSR1", finding["message"])
        inside, outside = ([frame["function"] for frame in event["stack"]] for event in finding["events"])
        # The handler's stack begins at the handler, whatever it interrupted.
        self.assertEqual(inside, ["write_line", "locks"])
        self.assertEqual(outside[:2], ["write_line", "plain"])

    def test_tries_and_masks(self):
        self.clean("only-tries")
        self.clean("blocked")
        self.clean("other-lock")
        self.clean("readers")
        self.finds("blocked-in-one")

    def test_ways_to_install(self):
        self.finds("signal")
        self.finds("sigset")
        self.finds("installed-later")
        self.clean("not-installed")

    def test_jumps_out_of_handlers(self):
        self.clean("jump-out")
        self.finds("jump-out-and-lock")
        self.clean("own-stack-jump")

    def test_stacks_and_contexts(self):
        self.finds("own-stack")
        self.clean("mask-by-context")

    def test_nested_handlers(self):
        self.finds("nested")
        self.clean("nested-masked")

    def test_child_of_fork(self):
        self.clean("forked-in-handler")
        finding = self.finds("in-child")
        self.assertTrue(all(event["stack"] for event in finding["events"]))

    def test_what_the_program_reads_back_is_its_own(self):
        self.clean("actions")
        self.clean("many-handlers")

    def test_masks_cost_next_to_nothing(self):
        """A mask around each lock: neither slow nor many facts. The system calls are most of the time."""
        rounds = []
        for _ in range(3):
            status, bare, _ = run_bare("handlers", "mask-loop")
            self.assertEqual(status, 0)
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run([DETECT, "run", "-o", folder, "--", PROGRAMS / "handlers", "mask-loop"],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
                kilobytes = sum(file.stat().st_blocks for file in pathlib.Path(folder).glob("*.dtlog")) / 2
            self.assertLess(kilobytes, 2048)
            rounds.append(float(done.stdout) / float(bare))
        self.assertLess(statistics.median(rounds), 2.5, rounds)


if __name__ == "__main__":
    unittest.main()
