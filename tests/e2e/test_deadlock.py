"""What the shim sees happen: deadlocks, stalls and misuse, each with a twin that is none."""

import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from detect_e2e import DETECT, PRELOAD, PROGRAMS, ShimCase, run_detect

ERRORS = ("deadlock", "self-deadlock", "stall")


def happened(run):
    """Rules of errors and of what the shim saw; lock-order and wait-while-holding predictions left out."""
    predicted = ("lock-order-cycle", "wait-while-holding")
    return sorted(f["rule"] for f in run.report["findings"] for _ in range(f["count"]) if f["rule"] not in predicted)


class Deadlocks(ShimCase):
    """--on-deadlock=exit ends what hangs; what does not hang ends by itself."""

    def hangs(self, case, rule, threads=None):
        with self.subTest(case=case):
            run = run_detect("deadlock", case, options=["--on-deadlock=exit"], timeout=30)
            self.assertEqual(run.status, 66, run.stderr)
            # Both of two threads may do it to themselves before the program ends.
            most = 2 if rule == "self-deadlock" else 1
            self.assertIn(happened(run), [[rule] * n for n in range(1, most + 1)], case)
            (finding,) = [f for f in run.report["findings"] if f["rule"] == rule]
            self.assertEqual(finding["level"], "error")
            if threads is not None:
                self.assertEqual(len(finding["state"]["cycle"]), threads)
            for event in finding["events"]:
                self.assertTrue(event["stack"], "every event has its stack")
            return finding

    def ends(self, case):
        with self.subTest(case=case):
            run = run_detect("deadlock", case, options=["--on-deadlock=exit"], timeout=60)
            self.assertEqual(happened(run), [], case)
            self.assertEqual(run.report["processes"][0]["exit"], 0)

    def test_rings_of_mutexes(self):
        for case, threads in (("two", 2), ("three", 3), ("eight", 8), ("fifty", 50)):
            finding = self.hangs(case, "deadlock", threads)
            self.assertEqual(len({step["thread"] for step in finding["state"]["cycle"]}), threads)
        self.ends("ordered")

    def test_rwlocks(self):
        self.hangs("reader-writer", "deadlock", 2)
        self.ends("readers")
        self.hangs("upgrades", "self-deadlock")
        self.hangs("upgrade-alone", "self-deadlock")
        self.hangs("writer-between", "deadlock", 2)
        self.ends("writer-between-readers-first")

    def test_spinlocks(self):
        self.hangs("spin", "deadlock", 2)
        self.hangs("spin-twice", "self-deadlock")

    def test_joins(self):
        self.hangs("join-under-lock", "deadlock", 2)
        self.ends("join-after-unlock")
        self.hangs("join-each-other", "deadlock", 2)
        self.hangs("join-ring", "deadlock", 3)

    def test_a_join_that_is_refused(self):
        """glibc answers EDEADLK to a thread that joins itself: told, and the program goes on."""
        run = run_detect("deadlock", "join-itself", options=["--on-deadlock=abort"], timeout=30)
        self.assertEqual(run.report["processes"][0]["exit"], 0)
        (finding,) = run.report["findings"]
        self.assertEqual((finding["rule"], finding["broken"]), ("self-deadlock", True))
        self.assertIn("EDEADLK", finding["message"])

    def test_once(self):
        self.hangs("once", "deadlock", 2)
        self.hangs("once-in-itself", "self-deadlock")
        # More is held than fits beside: by the one that runs the routine, and by the one that waits for it.
        self.hangs("once-with-many-held", "deadlock", 2)
        self.hangs("many-held-then-once", "deadlock", 2)

    def test_time_limits_are_no_deadlock(self):
        self.ends("timed")

    def test_long_waits(self):
        run = run_detect("deadlock", "long-wait", options=["--long-wait=1"], timeout=30)
        (note,) = [f for f in run.report["findings"] if f["rule"] == "long-wait"]
        self.assertEqual((note["level"], run.status), ("note", 0))
        for options in ([], ["--long-wait=20"]):
            run = run_detect("deadlock", "long-wait", options=options, timeout=30)
            self.assertEqual(happened(run), [])

    def test_locked_twice(self):
        self.hangs("lock-twice", "self-deadlock", 1)
        self.ends("twice-recursive")
        self.ends("twice-errorcheck")

    def test_stalls(self):
        self.hangs("lost-wakeup", "stall")
        self.ends("woken-late")
        self.assertFalse(self.hangs("no-post", "stall", 1)["cut"])
        many = self.hangs("lost-wakeup-of-many", "stall")
        self.assertTrue(many["cut"])
        self.assertIn("all threads of the process", many["message"])
        self.ends("post-by-signal")
        self.hangs("barrier-of-too-many", "stall", 3)

    def test_a_wait_with_a_mutex_locked_twice(self):
        """It goes on being held, which the stall says; the lock that the waker wants is that one."""
        self.ends("wait-locked-once")
        stall = self.hangs("wait-locked-twice", "stall")
        (hold,) = [event for event in stall["events"] if event["what"] == "hold"]
        (wanted,) = [event for event in stall["events"] if event["what"] == "acquire"]
        self.assertEqual(hold["lock"], wanted["lock"])
        self.assertNotEqual(hold["thread"], wanted["thread"])

    def test_waits_that_end_are_no_stall(self):
        self.ends("jump-by-alarm")
        self.ends("jump-by-timer")
        self.hangs("watchdog", "stall", 2)
        self.ends("ping-pong")
        self.ends("sem-ping-pong")

    def test_two_processes(self):
        """One lock of the two is one lock in the finding, and each thread says whose it is."""
        finding = self.hangs("two-processes", "deadlock", 2)
        acting = [t for t in finding["threads"] if t["id"] in {e["thread"] for e in finding["events"]}]
        self.assertEqual(len(acting), 2)
        self.assertEqual(len({t.get("pid") for t in acting}), 2)
        cycle = finding["state"]["cycle"]
        self.assertEqual({step["waits_for_lock"] for step in cycle}, {lock for step in cycle for lock in step["holds"]})
        self.assertEqual(len({step["waits_for_lock"] for step in cycle}), 2)
        self.ends("two-processes-in-order")

    def test_by_chance(self):
        """Racing threads and processes: a run that hangs has exactly one finding, one that does not has none."""
        build = PROGRAMS.parents[2]
        done = subprocess.run([Path(__file__).parent / "run-races", "--build", build, "--runs", "10"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=200)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)


class Actions(ShimCase):
    def test_break_lets_the_program_go_on(self):
        run = run_detect("deadlock", "two", options=["--on-deadlock=break"], timeout=30)
        self.assertEqual(run.status, 66)
        self.assertEqual(happened(run), ["deadlock"])
        (finding,) = [f for f in run.report["findings"] if f["rule"] == "deadlock"]
        self.assertTrue(finding["broken"])
        self.assertEqual(run.report["processes"][0]["exit"], 0)
        run = run_detect("deadlock", "lock-twice", options=["--on-deadlock=break"], timeout=30)
        self.assertEqual(run.stdout, b"refused\n")

    def test_abort_ends_by_signal(self):
        run = run_detect("deadlock", "two", options=["--on-deadlock=abort"], timeout=30)
        self.assertEqual(run.report["processes"][0]["signal"], signal.SIGABRT)

    def test_report_stays_hung_and_survives_a_kill(self):
        with tempfile.TemporaryDirectory() as folder:
            env = {**os.environ, "LD_PRELOAD": str(PRELOAD), "DETECT_OPTIONS": f"log_dir={folder}"}
            program = subprocess.Popen([PROGRAMS / "deadlock", "three"], env=env, stderr=subprocess.PIPE)
            text = b""
            while b"error: deadlock" not in text:
                text += program.stderr.readline()
            time.sleep(0.3)
            self.assertIsNone(program.poll(), "still hung")
            program.kill()
            text += program.communicate()[0] or b""
            done = subprocess.run([str(DETECT), "report", "--format=json", folder],
                                  stdout=subprocess.PIPE, check=False)
            self.assertIn(b'"deadlock"', done.stdout)
            self.assertEqual(list(Path(folder).glob("*.dtlog")) != [], True)


class Inspection(ShimCase):
    """detect ps: of a hung process, of a running one, of a killed one."""

    def ps(self, *targets):
        done = subprocess.run([str(DETECT), "ps", "--format=json", *map(str, targets)], stdout=subprocess.PIPE,
                              check=True, timeout=30)
        return json.loads(done.stdout)["processes"]

    def start(self, case, folder):
        env = {**os.environ, "LD_PRELOAD": str(PRELOAD), "DETECT_OPTIONS": f"log_dir={folder}" if folder else ""}
        return subprocess.Popen([PROGRAMS / "deadlock", case], env=env, stderr=subprocess.DEVNULL,
                                stdout=subprocess.PIPE)

    def check_hung(self, process, alive):
        self.assertEqual(process["alive"], alive)
        waiting = [t for t in process["threads"] if t["waits"] and t["waits"]["held_by"]]
        self.assertEqual(len(waiting), 3)
        holders = {t["waits"]["held_by"] for t in waiting}
        self.assertEqual(holders, {t["id"] for t in waiting})
        for thread in waiting:
            (held,) = thread["holds"]
            self.assertIn("ring[", held["lock"])
            self.assertTrue(held["stack"] and thread["waits"]["stack"])

    def test_hung_and_killed(self):
        for logged in (True, False):
            with self.subTest(logged=logged), tempfile.TemporaryDirectory() as folder:
                program = self.start("three", folder if logged else None)
                time.sleep(1)
                self.check_hung(self.ps(program.pid)[0], True)
                if logged:
                    self.check_hung(self.ps(folder)[0], True)
                program.kill()
                program.wait()
                if logged:
                    self.check_hung(self.ps(folder)[0], False)
                program.stdout.close()

    def test_running(self):
        program = self.start("spin-holding", None)
        program.stdout.readline()
        (process,) = self.ps(program.pid)
        program.kill()
        program.communicate()
        (thread,) = process["threads"]
        self.assertEqual((thread["state"], thread["waits"]), ("running", None))
        self.assertEqual([held["lock"] for held in thread["holds"]], ["mutex `mutex`", "rwlock `table`"])
        self.assertEqual([held["mode"] for held in thread["holds"]], ["exclusive", "shared"])

    def test_wrong_targets(self):
        for target in ("999999999", "/nowhere", "/etc/passwd", str(os.getpid())):
            done = subprocess.run([str(DETECT), "ps", target], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stderr.count(b"\n"), done.stdout), (2, 1, b""), target)


class PlainPreloading(ShimCase):
    """Without `detect run`: each thing that happened is said once, when it did."""

    def said(self, program, case):
        env = {**os.environ, "LD_PRELOAD": str(PRELOAD), "DETECT_OPTIONS": ""}
        done = subprocess.run([PROGRAMS / program, case], env=env, stderr=subprocess.PIPE, timeout=30)
        return [line.split(b": ")[2] for line in done.stderr.splitlines()
                if line.startswith((b"libdetect: error: ", b"libdetect: warning: "))]

    def test_said_once(self):
        self.assertEqual(self.said("misuse", "unlock-twice"), [b"unlock-not-locked"])
        self.assertEqual(self.said("misuse", "exit-holding"), [b"exit-holding-lock"])
        self.assertEqual(self.said("misuse", "unlock-once"), [])

    def test_a_child_says_its_own(self):
        self.assertEqual(self.said("misuse", "unlock-twice-in-children").count(b"unlock-not-locked"), 4 + 4)


class Misuse(ShimCase):
    def gives(self, case, *rules):
        with self.subTest(case=case):
            run = run_detect("misuse", case, timeout=30)
            self.assertEqual(happened(run), sorted(rules), case)

    def test_unlock(self):
        self.gives("unlock-twice", "unlock-not-locked")
        self.gives("unlock-rwlock-free", "unlock-not-locked")
        self.gives("unlock-spin-free", "unlock-not-locked")
        self.gives("unlock-others", "unlock-not-owner")
        self.gives("unlock-others-rwlock", "unlock-not-owner")
        self.gives("unlock-once")
        self.gives("unlock-after-wait")
        self.gives("post-by-another")

    def test_destroy(self):
        self.gives("destroy-held", "destroy-locked")
        self.gives("destroy-read-rwlock", "destroy-locked")
        self.gives("destroy-free")
        self.gives("destroy-waited-cond", "destroy-waited")
        self.gives("destroy-after-broadcast")
        self.gives("destroy-waited-sem", "destroy-waited", "use-destroyed")
        self.gives("destroy-used-barrier")

    def test_use_destroyed(self):
        self.gives("use-destroyed-mutex", "use-destroyed")
        self.gives("use-renewed-mutex")
        self.gives("use-destroyed-rwlock", "use-destroyed")
        self.gives("use-renewed-rwlock")
        self.gives("heap-reused")
        self.gives("destroy-twice", "use-destroyed")

    def test_init(self):
        self.gives("init-held", "init-locked")
        self.gives("init-free")

    def test_exit(self):
        self.gives("exit-holding", "exit-holding-lock")
        self.gives("exit-released")
        self.gives("exit-holding-robust")
        self.gives("exit-unlocks-in-destructor")

    def test_forks(self):
        self.gives("fork-lock-held", "lock-held-at-fork")
        self.gives("fork-lock-renewed")
        self.gives("fork-lock-another")
        self.gives("fork-with-handlers")
        run = run_detect("misuse", "fork-lock-held", timeout=30)
        (finding,) = [f for f in run.report["findings"] if f["rule"] == "lock-held-at-fork"]
        use, held = finding["events"]
        self.assertEqual((use["what"], held["what"]), ("use", "hold"))
        self.assertNotEqual(held["pid"], finding["pid"])
        self.assertEqual(held["stack"][0]["function"], "holds_at_fork")
        self.assertIn("fork-lock-held", " ".join(run.report["processes"][0]["argv"]))

    def test_conditions(self):
        self.gives("two-mutexes-at-once", "cond-mutex-mismatch")
        self.gives("two-mutexes-in-turn")
        self.gives("wait-unlocked", "cond-wait-unlocked")


if __name__ == "__main__":
    unittest.main()
