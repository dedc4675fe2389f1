"""The shim on real threads: one program a subject, each case with the twin that must come out the other way."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import test_race_kernel
import test_race_storms
from detect_e2e import (DETECT, PRELOAD, PROGRAMS, ShimCase, acting_threads, brief, cycle, line_of, lines_in,
                        lock_names, run_bare, run_detect)

FIRST_SECOND = cycle("first", "second")


class Mutexes(ShimCase):
    def test_kinds(self):
        for kind in ("static", "normal", "recursive", "errorcheck", "adaptive", "robust", "pi", "shared"):
            self.assert_finds("mutex", kind, FIRST_SECOND)
            self.assert_clean("mutex", kind + "-ordered")

    def test_owner_died(self):
        self.assert_finds("mutex", "owner-dies", FIRST_SECOND)
        self.assert_clean("mutex", "not-recoverable")

    def test_locked_again_while_held(self):
        self.assert_clean("mutex", "relock")
        self.assert_finds("mutex", "relock-inverted", FIRST_SECOND)
        self.assert_finds("mutex", "relock-half", FIRST_SECOND)
        self.assert_clean("mutex", "relock-full")
        self.assert_clean("mutex", "errorcheck-relock")

    def test_unlocked_by_another_thread(self):
        not_owner = ("unlock-not-owner", "error", "first")
        self.assert_finds("mutex", "failed-unlock", FIRST_SECOND, not_owner)
        self.assert_finds("mutex", "unlocked-elsewhere", not_owner)

    def test_unlocked_by_another_thread_often(self):
        found = self.run_case("mutex", "unlocked-elsewhere-often").report["findings"]
        self.assertEqual({finding["rule"] for finding in found}, {"unlock-not-owner"})

    def test_released_out_of_order(self):
        # One thread alone took both orders too: that may be worth a note of its own, not a second warning.
        found = [brief(finding) for finding in self.run_case("mutex", "out-of-order").report["findings"]]
        self.assertEqual([finding for finding in found if finding[1] != "note"], [FIRST_SECOND])
        self.assertEqual({finding[2:] for finding in found}, {FIRST_SECOND[2:]})
        self.assert_clean("mutex", "out-of-order-ordered")

    def test_one_thread_is_a_note(self):
        self.assert_finds("mutex", "one-thread", cycle("first", "second", level="note"))

    def test_another_lock_at_the_same_address(self):
        self.assert_clean("mutex", "remapped")
        self.assert_clean("mutex", "destroyed")
        with self.subTest(case="still-mapped"):
            run = self.run_case("mutex", "still-mapped")
            self.assertEqual([finding["rule"] for finding in run.report["findings"]], ["lock-order-cycle"])


class HowLong(ShimCase):
    def test_mutex(self):
        self.assert_finds("waits", "lock", FIRST_SECOND)
        self.assert_clean("waits", "try")

    def test_rwlock(self):
        tables = cycle("first_table", "second_table")
        self.assert_finds("waits", "write", tables)
        self.assert_finds("waits", "read", tables)
        self.assert_clean("waits", "try-write")
        self.assert_clean("waits", "try-read")

    def test_with_a_time_limit_it_is_a_note(self):
        for case in ("timed", "clock"):
            self.assert_finds("waits", case, cycle("first", "second", level="note"))
        for case in ("timed-write", "timed-read", "clock-write", "clock-read"):
            self.assert_finds("waits", case, cycle("first_table", "second_table", level="note"))


class ReadWriteLocks(ShimCase):
    def test_modes(self):
        for case in ("all-write", "read-then-write", "write-then-read", "readers-against-writers"):
            self.assert_finds("rwlock", case, FIRST_SECOND)
        for case in ("all-write-ordered", "all-read", "readers-meet"):
            self.assert_clean("rwlock", case)

    def test_try(self):
        for case in ("want-by-try-write", "want-by-try-read"):
            self.assert_clean("rwlock", case)
        for case in ("held-by-try-write", "held-by-try-read"):
            self.assert_finds("rwlock", case, FIRST_SECOND)

    def test_preference(self):
        self.assert_clean("rwlock", "all-read-prefer-reader")
        self.assert_clean("rwlock", "all-read-prefer-writer")
        self.assert_finds("rwlock", "all-read-prefer-writer-nonrecursive", FIRST_SECOND)
        self.assert_finds("rwlock", "all-write-prefer-writer-nonrecursive", FIRST_SECOND)

    def test_read_twice(self):
        self.assert_finds("rwlock", "reread-kept", FIRST_SECOND)
        self.assert_clean("rwlock", "reread-given")


class OtherLocks(ShimCase):
    def test_spinlocks(self):
        self.assert_finds("other_locks", "spin", cycle("first_spin", "second_spin"))
        self.assert_clean("other_locks", "spin-ordered")
        self.assert_clean("other_locks", "spin-try")

    def test_many_locks_close_together(self):
        run = self.assert_finds("other_locks", "spins-packed", cycle("packed[777]", "packed[19998]"))
        self.assertEqual(run.report["processes"][0]["locks"], 20000)
        self.assert_clean("other_locks", "spins-packed-ordered")

    def test_c11(self):
        pair = cycle("first_mtx", "second_mtx")
        for case in ("mtx-plain", "mtx-timed", "mtx-recursive"):
            self.assert_finds("other_locks", case, pair)
        for case in ("mtx-plain-ordered", "mtx-plain-try", "mtx-recursive-relock"):
            self.assert_clean("other_locks", case)
        self.assert_finds("other_locks", "mtx-timed-wait", cycle("first_mtx", "second_mtx", level="note"))

    def test_a_cycle_through_three_kinds(self):
        run = self.assert_finds("other_locks", "mixed", cycle("mutex", "table", "first_spin"))
        self.assertEqual(sorted(lock["kind"] for lock in run.report["findings"][0]["locks"]),
                         ["mutex", "rwlock", "spin"])
        self.assert_clean("other_locks", "mixed-ordered")


class Orders(ShimCase):
    def test_gates(self):
        for case in ("no-gate", "one-sided-gate", "two-gates", "reading-gate", "half-gate"):
            self.assert_finds("order", case, FIRST_SECOND)
        for case in ("same-gate", "writing-gate"):
            self.assert_clean("order", case)

    def test_a_gate_of_some_threads_does_not_hide_the_others(self):
        """Three pairs of the four call chains have no gate; whatever is said is this cycle."""
        run = self.run_case("order", "gate-then-none")
        self.assertEqual({brief(finding) for finding in run.report["findings"]}, {FIRST_SECOND})
        held = [sum((event["holding"] for event in finding["events"] if event["what"] == "acquire"), [])
                for finding in run.report["findings"]]
        self.assertIn(2, [len(locks) for locks in held], "the pair that holds nothing else")

    def test_create_and_join(self):
        for case in ("create", "join", "grandchild"):
            self.assert_clean("order", case)
        for case in ("create-before", "join-unordered", "join-then-unordered"):
            self.assert_finds("order", case, FIRST_SECOND)

    def test_barrier(self):
        self.assert_clean("order", "barrier-between")
        self.assert_clean("order", "barrier-rounds")
        self.assert_finds("order", "barrier-before", FIRST_SECOND)

    def test_once(self):
        self.assert_clean("order", "once-between")
        self.assert_finds("order", "once-before", FIRST_SECOND)
        self.assert_finds("order", "once-without-call", FIRST_SECOND)

    def test_what_orders_in_this_run_only(self):
        for case in ("cond-handover", "sem-handover", "mutex-handover"):
            self.assert_finds("order", case, FIRST_SECOND)

    def test_released_before_the_next_is_taken(self):
        self.assert_clean("order", "released-meanwhile")

    def test_one_bug_is_one_finding(self):
        self.assert_finds("order", "again-and-again", FIRST_SECOND)


class ConditionVariables(ShimCase):
    def test_the_mutex_is_held_again(self):
        pair = cycle("mutex", "other")
        for case in ("held-after-wait", "timed-held", "clock-held", "cancelled-nested"):
            self.assert_finds("cond", case, pair)
        for case in ("free-after-unlock", "timed-free", "clock-free", "cancelled", "cancelled-under-unlocked"):
            self.assert_clean("cond", case)

    def test_what_is_held_around_a_cancelled_wait_stays_held(self):
        self.assert_finds("cond", "cancelled-under", cycle("other", "outer"))

    def test_the_wait_takes_the_mutex_under_what_is_held(self):
        run = self.run_case("cond", "retaken-under-other")
        self.assertIn(cycle("mutex", "other"), [brief(finding) for finding in run.report["findings"]])

    def test_waiting_while_holding_what_the_waker_needs(self):
        with self.subTest(case="wait-while-holding"):
            run = self.run_case("cond", "wait-while-holding")
            found = [(finding["rule"], finding["level"]) for finding in run.report["findings"]]
            self.assertEqual(found, [("wait-while-holding", "warning")])
            self.assertIn("outer", lock_names(run.report["findings"][0]))
        self.assert_clean("cond", "wait-while-holding-unneeded")

    def test_waiting_for_a_unit_under_the_lock_that_it_is_posted_under(self):
        for case, level, reason in (("posted-under", "note", "posted-under"), ("posted-after-too", "warning", None)):
            with self.subTest(case=case):
                (finding,) = self.run_case("cond", case).report["findings"]
                self.assertEqual((finding["rule"], finding["level"]), ("wait-while-holding", level))
                self.assertIn(reason or "", str(finding["reason"]))


class Names(ShimCase):
    def test_threads(self):
        run = self.assert_finds("names", "threads", cycle("accounts[0].lock", "accounts[2].lock"))
        found = sorted((thread["name"], thread["start"]) for thread in acting_threads(run.report["findings"][0]))
        self.assertEqual(found, [("auditor", "auditor_main"), ("teller", "teller_main")])

    def test_members(self):
        self.assert_finds("names", "members", cycle("nested.inside.guards[0]", "nested.inside.guards[1]"))

    def test_a_thread_that_a_library_starts(self):
        run = self.assert_finds("names", "library", cycle("library_mutex", "accounts[1].lock"))
        starts = sorted(thread["start"] for thread in acting_threads(run.report["findings"][0]))
        self.assertEqual(starts, ["into_library", "library_worker"])

    def assert_lines(self, run, source):
        """Both acquisitions of both edges are at the lines marked, and not at each other's."""
        (finding,) = run.report["findings"]
        held = {"hold": "hold", "acquire": "want"}
        seen = set()
        for event in finding["events"]:
            functions = [frame["function"] or "" for frame in event["stack"]]
            way = "forwards" if any("forwards" in function for function in functions) else "backwards"
            right = line_of(source, f"{way}-{held[event['what']]}")
            wrong = line_of(source, f"{way}-{'want' if event['what'] == 'hold' else 'hold'}")
            lines = lines_in(event, source)
            self.assertIn(right, lines, (event["what"], functions))
            self.assertNotIn(wrong, lines, (event["what"], functions))
            seen.add((way, event["what"]))
        self.assertEqual(len(seen), 4, "each edge has both its acquisitions")

    def test_a_wrapper_that_has_returned(self):
        pair = cycle("accounts[0].lock", "accounts[1].lock")
        self.assert_lines(self.assert_finds("names", "wrapper", pair), "names.c")
        self.assert_lines(self.assert_finds("names", "recursion", pair), "names.c")

    def test_a_guard_with_a_frame_of_its_own(self):
        for program in ("cpp0", "cpp2"):
            self.assert_lines(self.assert_finds(program, "guards", cycle("left", "right")), "cpp.cc")

    def test_heap(self):
        with self.subTest(case="heap"):
            run = self.run_case("names", "heap")
            (finding,) = run.report["findings"]
            for lock in finding["locks"]:
                self.assertIn(f"names.c:{line_of('names.c', 'allocation')} in cache_new",
                              f"{lock['name']} {lock['origin']}")
            self.assertEqual(len(set(lock_names(finding))), 2, "two locks, two names")
        self.assert_clean("names", "heap-reused")


class Cpp(ShimCase):
    PROGRAMS = ("cpp0", "cpp2")

    def pairs(self, case, kind):
        """The locks are members of a template's static object."""
        for program in self.PROGRAMS:
            with self.subTest(program=program, case=case):
                run = self.run_case(program, case)
                (finding,) = run.report["findings"]
                self.assertEqual((finding["rule"], finding["level"]), ("lock-order-cycle", "warning"))
                self.assertEqual([lock["kind"] for lock in finding["locks"]], [kind, kind])

    def both(self, case, *wanted):
        for program in self.PROGRAMS:
            self.assert_finds(program, case, *wanted)

    def test_kinds(self):
        for case in ("mutex", "recursive", "timed", "recursive-timed"):
            self.pairs(case, "mutex")
            self.both(case + "-ordered")
        for case in ("shared", "shared-timed"):
            self.pairs(case, "rwlock")
            self.both(case + "-ordered")

    def test_scoped_lock_is_safe(self):
        self.both("mutex-scoped")

    def test_unique_lock(self):
        self.both("unique", cycle("left", "right"))
        self.both("unique-try")
        self.both("timed-wait", cycle("slow_left", "slow_right", level="note"))

    def test_shared_lock(self):
        self.both("shared-upgrade", cycle("left_table", "right_table"))
        self.both("shared-readers")

    def test_call_once(self):
        self.both("once-between")
        self.both("once-without-call", cycle("left", "right"))
        self.both("once-after-throw")
        self.both("once-throws-again")
        self.both("once-throws-within", cycle("left", "right"))

    def test_condition_variable(self):
        self.both("condition-held", cycle("left", "right"))
        self.both("condition-free")

    def test_objects_at_reused_addresses(self):
        self.both("heap-reused")
        for program in self.PROGRAMS:
            with self.subTest(program=program, case="heap-kept"):
                (finding,) = self.run_case(program, "heap-kept").report["findings"]
                self.assertEqual((finding["rule"], finding["level"]), ("lock-order-cycle", "warning"))

    def test_thread_local_destructors(self):
        self.both("thread-local", cycle("left", "right"))
        self.both("thread-local-ordered")

    def test_an_exception_releases(self):
        self.both("exception-releases")


class Processes(ShimCase):
    def pids(self, run):
        return {process["pid"]: process for process in run.report["processes"]}

    def test_a_child_has_its_own_findings(self):
        run = self.assert_finds("process", "child-inverts", FIRST_SECOND)
        self.assertEqual(len(run.report["processes"]), 2)
        process = self.pids(run)[run.report["findings"][0]["pid"]]
        self.assertIn(process["ppid"], self.pids(run), "the child's, not the parent's")
        self.assertEqual(process["exit"], 5)

        run = self.assert_finds("process", "parent-inverts", FIRST_SECOND)
        self.assertNotIn(self.pids(run)[run.report["findings"][0]["pid"]]["ppid"], self.pids(run))

    def test_fork_in_a_thread(self):
        self.assert_finds("process", "fork-in-thread", FIRST_SECOND)

    def test_each_process_has_its_own_memory(self):
        run = self.assert_clean("process", "one-order-each")
        self.assertEqual(len(run.report["processes"]), 2)

    def test_held_over_a_fork(self):
        self.assert_finds("process", "held-over-fork", cycle("first", "second", level="note"))
        self.assert_finds("process", "held-over-fork-unordered", FIRST_SECOND)

    def test_exec(self):
        for case in ("exec-after-fork", "exec-after-vfork", "spawn", "exec-then-inversion", "exec-after-inversion"):
            run = self.assert_finds("process", case, FIRST_SECOND)
            self.assertGreaterEqual(len(run.report["processes"]), 2, case)
        self.assert_finds("process", "failed-exec-after-vfork", FIRST_SECOND)

    def test_not_followed_when_told_so(self):
        for case in ("child-inverts", "exec-after-fork", "spawn"):
            self.assert_clean("process", case, options=("--children=no",))

    def test_closed_descriptors(self):
        self.assert_finds("process", "close-all", FIRST_SECOND)
        run = self.assert_finds("process", "daemonise", FIRST_SECOND)
        self.assertEqual(len(run.report["processes"]), 3)

    def test_ends(self):
        for case, status in (("_exit", 7), ("quick_exit", 8), ("thread-exit", 0), ("exit-in-thread", 9),
                             ("threads-running", 0), ("sigkill", 128 + signal.SIGKILL),
                             ("abort", 128 + signal.SIGABRT), ("fault", 128 + signal.SIGSEGV)):
            self.assert_finds("process", case, FIRST_SECOND, status=status)

    def test_a_real_deadlock_is_in_the_log_of_a_killed_program(self):
        with tempfile.TemporaryDirectory(prefix="detect-e2e-") as folder:
            running = subprocess.Popen([DETECT, "run", f"--output={folder}", "--report=/dev/null", "--",
                                        PROGRAMS / "process", "hang"], stdout=subprocess.PIPE, start_new_session=True)
            try:
                self.assertEqual(running.stdout.readline(), b"hanging\n")
                report = self.wait_for_findings(folder)
            finally:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
                running.stdout.close()
            self.assertIn(FIRST_SECOND, [brief(finding) for finding in report["findings"]])
            # And again from what the killed program left.
            self.assertIn(FIRST_SECOND, [brief(finding) for finding in self.report(folder)["findings"]])

    def report(self, folder):
        done = subprocess.run([DETECT, "report", "--format=json", folder], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        return json.loads(done.stdout) if done.stdout else {"findings": []}

    def wait_for_findings(self, folder):
        """The log is read while the program hangs: until the cycle is there, at most 20 seconds."""
        for _ in range(200):
            report = self.report(folder)
            if report["findings"]:
                return report
            time.sleep(0.1)
        return report


class BeforeAndAfterMain(ShimCase):
    def test_places(self):
        for place in ("constructor", "destructor", "atexit", "key"):
            self.assert_finds("early", "", FIRST_SECOND, env={"EARLY": place})
        self.assert_finds("early", "", cycle("library_first", "library_second"), env={"EARLY": "library"})
        self.assert_clean("early", "", env={"EARLY": "nowhere"})


class Signals(ShimCase):
    def test_handlers_that_lock_at_1_khz(self):
        self.assert_clean("signals", "timer")
        self.assert_clean("signals", "timer-on-new-locks")
        self.assert_finds("signals", "timer-and-inversion", cycle("inner", "outer"))

    def test_a_handler_nests_in_what_its_thread_holds(self):
        """And what it takes, threads take with its signal unblocked."""
        by_handler = ("lock-in-signal-handler", "warning")
        self.assert_finds("signals", "handler-nests", cycle("in_handler", "inner"),
                          (*by_handler, "in_handler", "inner", "outer"))
        self.assert_finds("signals", "handler-nests-ordered", (*by_handler, "in_handler", "outer"),
                          (*by_handler, "in_handler", "inner", "outer"))


class Transparency(ShimCase):
    def test_results_and_errno_are_the_same(self):
        status, bare, _ = run_bare("results")
        self.assertEqual(status, 0)
        self.assertGreater(len(bare.splitlines()), 200)
        self.assertEqual(run_detect("results").stdout.decode().splitlines(), bare.decode().splitlines())


class Stress(ShimCase):
    def test_64_threads(self):
        self.assert_clean("stress", "hammer")
        self.assert_finds("stress", "hammer-and-invert", FIRST_SECOND)

    def test_10000_short_threads(self):
        self.assert_clean("stress", "short-lived")
        self.assert_finds("stress", "short-lived-then-invert", FIRST_SECOND)

    def test_200_locks_held(self):
        self.assert_clean("stress", "deep")
        self.assert_finds("stress", "deep-inverted", cycle("many[0]", "many[199]"))

    def test_hand_over_hand(self):
        self.assert_clean("stress", "hand-over-hand")
        self.assert_finds("stress", "hand-over-hand-inverted", cycle("many[499]", "many[500]"))

    def test_libraries_that_come_and_go(self):
        self.assert_clean("stress", "load")
        self.assert_clean("stress", "reloaded")
        self.assert_finds("stress", "kept-loaded", cycle("first", "plugin_mutex"))

    def test_longjmp_over_held_locks(self):
        self.assert_clean("stress", "jump")
        self.assert_finds("stress", "jump-inverted", FIRST_SECOND)

    def test_100000_heap_locks(self):
        self.assert_clean("stress", "heap")
        run = self.run_case("stress", "heap-inverted")
        self.assertEqual([finding["rule"] for finding in run.report["findings"]], ["lock-order-cycle"])

    def test_locks_on_the_stack(self):
        self.assert_clean("stress", "local")
        self.assert_clean("stress", "local-gone")
        with self.subTest(case="local-shown"):
            (finding,) = self.run_case("stress", "local-shown").report["findings"]
            self.assertEqual((finding["rule"], finding["level"]), ("lock-order-cycle", "warning"))
            self.assertIn("first", lock_names(finding))


class LocalStatics(ShimCase):
    """C++'s guards, where libstdc++ is not to be found for the shim."""

    def test_guards_of_a_local_library(self):
        library = PROGRAMS / "libe2e_guard_library.so"
        if not library.exists():
            self.skipTest("no C++ compiler")
        for case in ("slow", "failing"):
            run = run_detect("guards", case, env={"GUARD_LIBRARY": str(library)}, timeout=30)
            self.assertEqual((run.status, run.report["findings"]), (0, []), case)


class WrapperCoverage(ShimCase):
    """Every function that the shim exports is called by a program, and is seen to engage. What makes processes and
    waits for them is in between.c, which test_between.py runs."""

    def cases(self):
        status, stdout, _ = run_bare("coverage", "--list")
        self.assertEqual(status, 0)
        return [line.split() for line in stdout.decode().splitlines()]

    def exported(self):
        nm = shutil.which("nm")
        if not nm:
            self.skipTest("nm (binutils) is not installed")
        done = subprocess.run([nm, "-D", "--defined-only", PRELOAD], stdout=subprocess.PIPE, check=True, text=True)
        names = {line.split()[2].split("@")[0] for line in done.stdout.splitlines() if line.split()[1] in "TWti"}
        # What compilers and annotations call is test_races.py's.
        return {name for name in names if not re.match(r"__tsan_|Annotate|WTFAnnotate|RunningOnValgrind|Valgrind|ThreadSan|libdetect_claim|libdetect_race", name)}

    def test_every_exported_function_has_a_case(self):
        _, children, _ = run_bare("between", "--list")
        covered = {symbol for symbol, _, _ in self.cases()}
        covered |= {line.split()[0] for line in children.decode().splitlines()} - {"any"}
        covered |= {name for name in test_race_kernel.ORDERS if "-" not in name}
        covered |= test_race_storms.HOOKS
        # What instrumented code calls is no wrapper, and is in test_races.py; the guards are in LocalStatics.
        runtime = {s for s in self.exported()
                   if s.startswith("__tsan_") or "Annotate" in s
                   or s.startswith(("__cxa_guard_", "__wrap_")) or s in ("RunningOnValgrind", "ValgrindSlowdown", "ThreadSanitizerQuery")}
        self.assertEqual(self.exported() - runtime - covered, set(), "exported, and no case in coverage.c")
        self.assertEqual(covered - self.exported(), set(), "a case in coverage.c, and not exported")

    def test_every_call_reaches_the_shim(self):
        """As the dynamic linker says it: the program's reference is bound to the shim's definition."""
        env = {**os.environ, "LD_PRELOAD": str(PRELOAD), "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"}
        done = subprocess.run([PROGRAMS / "coverage", "--list"], env=env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
        bound = set()
        for line in done.stderr.splitlines():
            head, _, symbol = line.partition("normal symbol `")
            if symbol and f"{PROGRAMS / 'coverage'} [0] to {PRELOAD} " in head:
                bound.add(symbol.split("'")[0])
        self.assertEqual({symbol for symbol, _, _ in self.cases()} - bound, set(), "bound to another library")

    def test_every_function_engages(self):
        for symbol, name, expected in self.cases():
            with self.subTest(symbol=symbol, case=name, expected=expected):
                getattr(self, "expect_" + expected.replace("-", "_"), self.expect_allocation)(symbol, name, expected)

    def found(self, symbol, name):
        return self.run_case("coverage", f"{symbol} {name}").report["findings"]

    def expect_cycle(self, symbol, name, _):
        # Where a wait takes its mutex again, its thread alone took both orders: a note, and a wait as well.
        (found,) = [finding for finding in self.found(symbol, name)
                    if finding["rule"] == "lock-order-cycle" and finding["level"] == "warning"]
        self.assertIn("marker", lock_names(found))

    def expect_none(self, symbol, name, _):
        self.assertEqual([brief(finding) for finding in self.found(symbol, name)], [])

    def expect_destroyed(self, symbol, name, _):
        # There is no initialising a spinlock but by a call: no lock order, and a use of what was destroyed.
        self.assertEqual([finding["rule"] for finding in self.found(symbol, name)], ["use-destroyed"])

    def expect_handler(self, symbol, name, _):
        self.assertEqual([finding["rule"] for finding in self.found(symbol, name)], ["lock-in-signal-handler"])

    def expect_wait(self, symbol, name, _):
        self.assertEqual([finding["rule"] for finding in self.found(symbol, name)], ["wait-while-holding"])

    def expect_thread_name(self, symbol, name, _):
        (finding,) = self.found(symbol, name)
        self.assertIn("a-name", [thread["name"] for thread in finding["threads"]])

    def expect_allocation(self, symbol, name, function):
        """The finding says in which function the lock was allocated."""
        (finding,) = self.found(symbol, name)
        self.assertTrue(any(f"in {function}" in f"{lock['name']} {lock['origin']}" for lock in finding["locks"]),
                        [(lock["name"], lock["origin"]) for lock in finding["locks"]])

    def expect_two_processes(self, symbol, name, _):
        self.assertEqual(len(run_detect("coverage", symbol, name).report["processes"]), 2)

    def expect_exit_17(self, symbol, name, expected):
        (process,) = run_detect("coverage", symbol, name).report["processes"]
        self.assertEqual(process["exit"], int(expected.split("-")[1]))

    expect_exit_18 = expect_exit_17


if __name__ == "__main__":
    unittest.main()
