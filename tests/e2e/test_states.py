"""Unsafe states of counted semaphores, reached and not: each with a twin."""
import subprocess
import unittest

from detect_e2e import DETECT, PROGRAMS, run_detect

UNSAFE = {"pool-two": 2, "pool-three": 3, "pool-five": 5, "two-pools": 4, "textbook-unsafe": 5}
SAFE = ("pool-two-safe", "pool-three-safe", "pool-five-safe", "two-pools-safe", "two-pools-one-way", "never-second",
        "phases", "trying", "gate", "signals", "textbook-safe")


class States(unittest.TestCase):
    def found(self, case):
        return [f for f in run_detect("states", case, timeout=30).report["findings"] if f["rule"] == "unsafe-state"]

    def test_unsafe(self):
        for case, threads in UNSAFE.items():
            with self.subTest(case=case):
                (finding,) = self.found(case)
                self.assertEqual(finding["level"], "warning")
                state = finding["state"]
                self.assertEqual(len(state["threads"]), threads)
                self.check(finding, state)

    def check(self, finding, state):
        """The matrices agree with each other, and with a test made here: no thread that is stuck could end."""
        locks = {lock["id"] for lock in finding["locks"]}
        known = {thread["id"] for thread in finding["threads"]}
        self.assertLessEqual(set(state["resources"]), locks)
        self.assertEqual(len(state["available"]), len(state["resources"]))
        free, left = list(state["available"]), {t["thread"]: t for t in state["threads"]}
        self.assertLessEqual(set(left), known)
        for thread in state["threads"]:
            self.assertEqual(thread["need"], [c - a for c, a in zip(thread["claim"], thread["allocation"])])
        ended = True
        while ended:
            ended = [t for t in left.values() if all(n <= f for n, f in zip(t["need"], free))]
            for thread in ended:
                free = [f + a for f, a in zip(free, thread["allocation"])]
                del left[thread["thread"]]
        self.assertEqual(set(left), set(state["stuck"]))
        self.assertTrue(left)
        self.assertEqual({event["thread"] for event in finding["events"]}, set(state["stuck"]))

    def test_safe(self):
        for case in SAFE:
            with self.subTest(case=case):
                self.assertEqual(self.found(case), [])

    def test_text(self):
        done = subprocess.run([DETECT, "run", "--", PROGRAMS / "states", "pool-three"], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 66)
        self.assertIn("pool: 0 available\n", done.stderr)
        self.assertEqual(done.stderr.count("allocation 1, claim 2, need 1: thread "), 3)


if __name__ == "__main__":
    unittest.main()
