"""Unsafe states of counted semaphores, reached and not: each with a twin."""
import subprocess
import tempfile
import unittest

from detect_e2e import DETECT, PROGRAMS, run_detect

UNSAFE = {"pool-two": 2, "pool-three": 3, "pool-five": 5, "two-pools": 4, "textbook-unsafe": 5,
          "declared-two": 3, "taken-back": 3}
SAFE = ("pool-two-safe", "pool-three-safe", "pool-five-safe", "two-pools-safe", "two-pools-one-way", "never-second",
        "phases", "trying", "gate", "signals", "textbook-safe", "declared-one", "declared-two-safe", "promised")
UNSAFE_LOCKS = {"crossed": 2, "crossed-first": 2, "around": 3, "reader-and-writer": 2, "last-unit": 2}
SAFE_LOCKS = ("same-way", "tried", "around-two-met", "reader-and-reader", "spare-unit")


class States(unittest.TestCase):
    def findings(self, program, case, *options):
        return run_detect(program, case, *options, timeout=30).report["findings"]

    def found(self, case, program="states"):
        return [f for f in self.findings(program, case) if f["rule"] == "unsafe-state"]

    def text(self, program, case):
        done = subprocess.run([DETECT, "run", "--", PROGRAMS / program, case], stderr=subprocess.PIPE, text=True, timeout=30)
        return done.stderr

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

    def test_declared_in_position_dependent_code(self):
        (finding,) = self.found("declared-two", "states_fixed")
        self.assertEqual([thread["claim"] for thread in finding["state"]["threads"]], [[2], [2], [2]])
        self.assertEqual(self.found("declared-one", "states_fixed"), [])

    def test_told_apart(self):
        """Another number of units below the last acquisition is another state: here the unsafe one, after a safe one."""
        (finding,) = self.found("units-below", "states_apart")
        self.assertEqual(sorted(thread["allocation"] for thread in finding["state"]["threads"]), [[1], [2]])
        self.check(finding, finding["state"])
        self.assertEqual(self.found("units-below-safe", "states_apart"), [])

    def test_calls_that_give_up_claim_nothing(self):
        """Of two with a unit each of two, each tries for a second one at most: nobody stays stuck."""
        self.assertEqual(self.found("gives-up", "states_apart"), [])
        (finding,) = self.found("does-not-give-up", "states_apart")
        self.assertEqual([thread["claim"] for thread in finding["state"]["threads"]], [[2], [2]])

    def test_what_another_thread_holds_meanwhile(self):
        for case in ("rebased", "after-signal"):
            with self.subTest(case=case):
                (finding,) = self.found(case, "states_apart")
                self.check(finding, finding["state"])
                self.assertNotIn("no room", self.text("states_apart", case))

    def test_more_units_under_another_lock(self):
        """A second unit that is wanted without the lock is not wanted while the lock is held; in earlier runs as in this."""
        self.assertEqual(self.found("second-after-lock", "states_apart"), [])
        (finding,) = self.found("second-under-lock", "states_apart")
        self.check(finding, finding["state"])
        with tempfile.TemporaryDirectory() as folder:
            for case in ("second-after-lock", "second-under-lock"):
                subprocess.run([DETECT, "run", "-q", "-o", f"{folder}/{case}", "--", PROGRAMS / "states_apart", case],
                               stderr=subprocess.DEVNULL)
            after, under = f"{folder}/second-after-lock", f"{folder}/second-under-lock"
            for claims, unsafe in ((after, 0), (under, 1)):
                done = subprocess.run([DETECT, "report", f"--claims={claims}", after], stdout=subprocess.PIPE, text=True)
                self.assertEqual(done.stdout.count("WARNING: unsafe-state"), unsafe, claims)

    def test_what_was_wanted_before_the_others_were_there(self):
        """Main sets things up, and makes the thread then: what it wanted before, it does not want beside that thread."""
        for case in ("set-up-alone", "units-alone"):
            with self.subTest(case=case):
                self.assertEqual(self.findings("states_apart", case), [])
        for case in ("set-up-beside", "units-beside"):
            with self.subTest(case=case):
                (finding,) = self.found(case, "states_apart")
                self.check(finding, finding["state"])

    def test_more_than_is_read(self):
        """Of a thread that holds seventeen nothing is told: not that it holds the first sixteen."""
        self.assertEqual(self.found("seventeen", "states_apart"), [])
        self.assertIn("no room: unsafe states can be missing", self.text("states_apart", "seventeen"))

    def test_more_states_than_are_kept(self):
        self.assertEqual(self.found("many", "states_apart"), [])
        self.assertIn("no room: unsafe states can be missing", self.text("states_apart", "many"))
        self.assertNotIn("no room", self.text("states_apart", "units-below"))

    def test_locks(self):
        """The cycle of the same locks comes first, and the two refer to each other."""
        for case, threads in UNSAFE_LOCKS.items():
            with self.subTest(case=case):
                cycle, state = self.findings("states_locks", case)
                self.assertEqual([cycle["rule"], state["rule"]], ["lock-order-cycle", "unsafe-state"])
                self.assertEqual([cycle["related"], state["related"]], [state["fingerprint"], cycle["fingerprint"]])
                self.assertEqual(len(state["state"]["stuck"]), threads)
                self.check(state, state["state"])

    def test_locks_safe(self):
        for case in SAFE_LOCKS:
            with self.subTest(case=case):
                found = self.findings("states_locks", case)
                self.assertNotIn("unsafe-state", [f["rule"] for f in found])
                self.assertFalse([f for f in found if "related" in f])

    def test_claims_of_another_run(self):
        """What nobody did in this run, but in that one."""
        with tempfile.TemporaryDirectory() as folder:
            for case in ("pool-three", "pool-three-one-each"):
                subprocess.run([DETECT, "run", "-q", "-o", f"{folder}/{case}", "--", PROGRAMS / "states", case],
                               stderr=subprocess.DEVNULL)
            other, this = f"{folder}/pool-three", f"{folder}/pool-three-one-each"
            for claims, status in ((this, 0), (other, 66)):
                done = subprocess.run([DETECT, "report", f"--claims={claims}", this], stdout=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, status, claims)
                self.assertEqual("allocation 1, claim 2, need 1" in done.stdout, status != 0)
            done = subprocess.run([DETECT, "run", f"--claims={other}", "--", PROGRAMS / "states", "pool-three-one-each"],
                                  stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 66)
            self.assertIn("WARNING: unsafe-state", done.stderr)

    def test_signals_are_named(self):
        done = subprocess.run([DETECT, "run", "--verbose", "--", PROGRAMS / "states", "signals"], stderr=subprocess.PIPE,
                              text=True)
        self.assertIn("`pool` is posted by threads that have not waited for it: a signal, no resource of 2 units",
                      done.stderr)

    def test_how_well_known(self):
        (finding,) = self.found("pool-three")
        self.assertEqual([thread["sections"] for thread in finding["state"]["threads"]], [6, 6, 6])

    def test_sets_that_find_no_room_are_said(self):
        for case, said in (("many", True), ("crossed", False)):
            done = subprocess.run([DETECT, "run", "--", PROGRAMS / "states_locks", case], stderr=subprocess.PIPE, text=True)
            self.assertEqual("held of locks alone found no room" in done.stderr, said, done.stderr)

    def test_text(self):
        done = subprocess.run([DETECT, "run", "--", PROGRAMS / "states", "pool-three"], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 66)
        self.assertIn("pool: 0 available\n", done.stderr)
        self.assertEqual(done.stderr.count("allocation 1, claim 2, need 1: thread "), 3)


if __name__ == "__main__":
    unittest.main()
