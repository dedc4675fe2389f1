"""--avoid: programs that deadlock more often than not end, by the claims of one earlier run; and twins without it."""

import pathlib
import subprocess
import tempfile
import unittest

from detect_e2e import DETECT, PRELOAD, PROGRAMS, ShimCase, run_detect

ROUNDS = {"abba 2": 300, "abba 8": 100, "philosophers 5": 100, "philosophers 50": 20, "heap-philosophers 5": 60,
          "pool 3": 200, "tables 4": 100}

# What the wait returns, by case of avoid_cond.
WAITS = {"plain": "Success", "timed": "Connection timed out", "clock": "Connection timed out", "c11": "Success",
         "recursive": "Success", "inherits": "Success", "checked": "Success", "cancelled": "Operation canceled",
         "robust": "Success", "robust-died": "Owner died"}


def rules(run):
    return sorted({f["rule"] for f in run.report["findings"]})


class Avoidance(ShimCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="detect-avoid-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def record(self, case, *rounds, program="avoid"):
        """The log of one run, which may deadlock: what was wanted is in the log."""
        logs = self.folder / case.replace(" ", "-")
        subprocess.run([DETECT, "run", "--on-deadlock=exit", "-q", f"--output={logs}", "--report=/dev/null", "--",
                        PROGRAMS / program, *case.split(), *map(str, rounds)],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        return logs

    def avoided(self, case, rounds, *options):
        """Ran under --avoid to its end: no deadlock, nobody given up on."""
        run = run_detect("avoid", *case.split(), str(rounds), options=["--on-deadlock=exit", "--avoid-patience=20000", *options])
        self.assertEqual(run.report["processes"][0]["exit"], 0, run.stderr.decode())
        for rule in ("deadlock", "stall", "self-deadlock", "avoidance-gave-up"):
            self.assertNotIn(rule, rules(run))
        return run

    def test_all_end_with_claims(self):
        for case, rounds in ROUNDS.items():
            with self.subTest(case=case):
                logs = self.record(case, rounds)
                for _ in range(3):
                    run = self.avoided(case, rounds, "--avoid", f"--claims={logs}")
                    self.assertNotIn("claim-exceeded", rules(run))

    def test_declared_claims(self):
        """Three meet with a unit each of three. Who may want a second one makes the last of them wait, which here is
        for as long as patience lasts, since they wait for it by other means."""
        for case, held_back in (("declared-two", True), ("declared-one", False), ("declared-two-safe", False)):
            with self.subTest(case=case):
                run = run_detect("states", case, options=["--avoid", "--avoid-patience=300"])
                self.assertEqual("avoidance-gave-up" in rules(run), held_back)

    def waited(self, case, claims):
        run = run_detect("avoid_cond", case, options=["--on-deadlock=exit", "--avoid", f"--claims={claims}", "--avoid-patience=20000"])
        self.assertEqual(run.report["processes"][0]["exit"], 0, run.stderr.decode())
        self.assertFalse({"deadlock", "avoidance-gave-up", "unlock-not-owner", "unlock-not-locked"} & set(rules(run)))
        return run.stdout.decode().strip()

    def test_a_waits_mutex_is_held_back(self):
        """What another thread needs first is not left to a wait that took it again; what the wait returns is as ever."""
        for case, result in WAITS.items():
            with self.subTest(case=case):
                run = run_detect("avoid_cond", case, options=["--on-deadlock=exit"])
                self.assertIn("deadlock", rules(run))
                claims = self.record(case, program="avoid_cond")
                self.assertEqual(self.waited(case, claims), f"holder {result}")

    def test_a_waits_mutex_is_not_held_back(self):
        """Where the waiter wants nothing more; and not one that only its new owner can mend."""
        for case, result in (("plain-alone", "Success"), ("timed-alone", "Connection timed out"),
                             ("cancelled-alone", "Operation canceled")):
            with self.subTest(case=case):
                self.assertEqual(self.waited(case, self.record(case, program="avoid_cond")), f"waiter {result}")
        self.assertEqual(self.waited("robust-told", self.record("robust", program="avoid_cond")), "waiter Owner died")

    def test_all_end_with_cycles(self):
        for case in ("abba 2", "abba 8", "philosophers 5", "heap-philosophers 5"):
            with self.subTest(case=case):
                logs = self.record(case, ROUNDS[case])
                self.avoided(case, ROUNDS[case], "--avoid=cycles", f"--claims={logs}")

    def test_forks_and_waits(self):
        """The run that taught may have hung before it came to all of it: what is new is said, and goes on."""
        logs = self.record("forks-and-waits 2", 50)
        run = self.avoided("forks-and-waits 2", 50, "--avoid", f"--claims={logs}")
        self.assertTrue(all(process["exit"] == 0 for process in run.report["processes"]))

    def test_staged(self):
        """The very schedule that deadlocks without it."""
        run = run_detect("avoid", "staged", "2", "1", options=["--on-deadlock=exit"])
        self.assertIn("deadlock", rules(run))
        logs = self.record("staged 2", 1)
        self.avoided("staged 2", 1, "--avoid", f"--claims={logs}")
        self.avoided("staged 2", 1, "--avoid=cycles", f"--claims={logs}")

    def test_nothing_is_avoided_without_a_cycle(self):
        """Locks on no cycle are left alone: the second claim is none of --avoid=cycles."""
        logs = self.record("exceeds-not 2", 5)
        run = self.avoided("exceeds 2", 5, "--avoid=cycles", f"--claims={logs}")
        self.assertEqual(run.report["findings"], [])

    def test_wrong_claims_are_said_once(self):
        logs = self.record("exceeds-not 2", 5)
        run = self.avoided("exceeds 2", 50, "--avoid", f"--claims={logs}")
        (note,) = [f for f in run.report["findings"] if f["rule"] == "claim-exceeded"]
        self.assertEqual((note["level"], note["count"]), ("note", 1))
        self.assertIn("c", [lock["name"] for lock in note["locks"]])
        run = self.avoided("exceeds-not 2", 50, "--avoid", f"--claims={logs}")
        self.assertEqual(run.report["findings"], [])

    def test_claims_of_another_program_do_no_harm(self):
        of_none, of_all = b"no lock of this run is in those logs", self.record("one-lock 4", 50)
        run = self.avoided("one-lock 4", 50, "--avoid", f"--claims={self.record('pool 3', 5)}")
        self.assertEqual(run.stderr.count(of_none), 1, run.stderr.decode())
        run = self.avoided("one-lock 4", 50, "--avoid", f"--claims={of_all}")
        self.assertNotIn(of_none, run.stderr)

    def test_learned_in_the_run(self):
        """What a section needs is known from its second time on."""
        run = self.avoided("stubborn 2", 1, "--avoid")
        self.assertNotIn("claim-exceeded", rules(run))

    def test_other_programs_run_as_before(self):
        """Sections learned as they come: many threads, nested locks in one order, all kinds of calls."""
        for program, case in (("stress", "hand-over-hand"), ("stress", "short-lived"), ("cond", "retaken-under-other"),
                              ("rwlock", "all-write-ordered"), ("rwlock", "readers-meet")):
            with self.subTest(program=program, case=case):
                plain = run_detect(program, case)
                run = run_detect(program, case, options=["--avoid"])
                self.assertEqual([p["exit"] for p in run.report["processes"]], [p["exit"] for p in plain.report["processes"]])
                self.assertEqual(rules(run), rules(plain))

    def test_patience_ends(self):
        logs = self.record("stubborn 2", 2)
        run = run_detect("avoid", "stubborn", "2", "2",
                         options=["--avoid", f"--claims={logs}", "--avoid-patience=300"])
        self.assertEqual(run.report["processes"][0]["exit"], 0)
        (note,) = [f for f in run.report["findings"] if f["rule"] == "avoidance-gave-up"]
        self.assertEqual((note["level"], [lock["name"] for lock in note["locks"]]), ("note", ["b"]))
        self.assertGreaterEqual(float(run.stdout), 0.3)
        self.assertLess(float(run.stdout), 1.9)

    def test_a_claims_file_that_is_none(self):
        """Said in one line by the shim, which learns then."""
        damaged = self.folder / "avoid.claims"
        for content in (b"", b"DTCLAIM\n", b"DTCLAIM\n" + b"\xff" * 100, b"no claims at all\n" * 9):
            damaged.write_bytes(content)
            done = subprocess.run([PROGRAMS / "avoid", "exceeds", "2", "20"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env={"LD_PRELOAD": str(PRELOAD), "DETECT_OPTIONS": f"avoid=claims:claims_file={damaged}"},
                                  timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr.count(b"the claims file can't be read"), 1, content)

    def test_usage(self):
        for options, word in ((["--avoid=often"], "--avoid"), (["--avoid=cycles"], "--claims"),
                              (["--avoid", "--claims=/nowhere"], "/nowhere"), (["--claims=/dev/null"], "/dev/null"),
                              (["--avoid", "--avoid-patience=x"], "--avoid-patience")):
            done = subprocess.run([DETECT, "run", *options, "--", "true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 2, options)
            self.assertEqual(done.stderr.count(b"\n"), 1)
            self.assertIn(word.encode(), done.stderr)


if __name__ == "__main__":
    unittest.main()
