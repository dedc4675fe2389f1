"""Facts of many runs in one database: detect merge, and detect report of it."""

import json
import os
import pathlib
import pwd
import re
import resource
import shutil
import sqlite3
import subprocess
import unittest

from detect_case import DETECT, ROOT, DetectCase
from dtlog import RWLOCK, Log, inversion, many_findings

SAMPLES = pathlib.Path(os.environ.get("DETECT_SAMPLES", ROOT / "build/dev/samples"))
TABLES = {"run": 1, "lock": 1, "stack": 1, "role": 1, "phase": 1, "acq": 1, "seen": 3, "finding": 1, "finding_run": 2}
BASE = 0x400000


def shard(pid, *takes, program=b"/usr/bin/bank", threads=(1,), starts=None, kind=1, modes=(0, 0), wait=0, gate=False,
          first_in_main=False, build=0):
    """A run in which thread 2 + n takes the n-th pair of locks, one in the other; thread 1 starts them.

    With `first_in_main` thread 1 takes the first pair before it starts the others.
    """
    log = Log(pid=pid, start_ns=pid * 1000)
    log.process([b"./bank"], program)
    log.module(1, program, BASE, BASE, BASE + 0x100000)
    log.segment(1, 1)
    log.thread(1, 1)
    for lock in (1, 2, 3):
        log.lock(lock, BASE + 0x4000 + 64 * lock, kind=kind)
    stack = acq = 0
    segment = 1
    for nth, (held, wanted) in enumerate(takes):
        in_main = first_in_main and nth == 0
        if not in_main:
            segment += 1
            start = (starts or [0x1000 * (held + 1)] * len(takes))[nth]
            log.segment(segment, segment, pred=1)
            log.thread(segment, segment, parent=1, start=BASE + start)
        parent = 0
        for step, lock in enumerate(([3] if gate else []) + [held, wanted]):
            stack += 1
            acq += 1
            log.stack(stack, [BASE + 0x1000 * (held + 1) + 16 * lock + build, BASE + 0x8000 + build])
            log.acq(acq, lock=lock, stack=stack, parent=parent, mode=0 if lock == 3 else modes[0] if lock == held else modes[1],
                    wait=wait if lock == wanted else 0)
            log.sighting(acq, 1 if in_main else segment)
            parent = acq
        if in_main:
            log.segment(100, 1, pred=1)
    log.exit(0)
    return log


class MergeCase(DetectCase):
    def merge(self, *logs, out="facts.db"):
        for index, log in enumerate(logs):
            if isinstance(log, Log):
                self.write(f"run{index + 1}.dtlog", log.bytes())
        names = [f"run{index + 1}.dtlog" if isinstance(log, Log) else log for index, log in enumerate(logs)]
        done = self.detect("merge", "-q", "-o", out, *names)
        self.assertEqual((done.returncode, done.stderr), (0, b""), done.stderr)

    def found(self, *logs):
        """(level, locks) of each finding of the merged logs."""
        (self.folder / "facts.db").unlink(missing_ok=True)
        self.merge(*logs)
        report = self.json_report("facts.db")
        return [finding["level"] for finding in report["findings"]]


class Graph(MergeCase):
    def graph(self, *args):
        done = self.detect("graph", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def edges(self, dot):
        return len(re.findall(r"^\s*\w+ -> \w+ \[", dot, re.M))

    def test_the_graph_of_all_runs(self):
        self.merge(shard(101, (1, 2)), shard(102, (2, 1)))
        one, all_runs = self.graph("run1.dtlog"), self.graph("facts.db")
        self.assertEqual((self.edges(one), self.edges(all_runs)), (1, 2))
        self.assertIn('label="2 runs"', all_runs)
        # Both edges are of the cycle that no run has alone: red.
        self.assertEqual((one.count("#c62828"), self.graph("--cycles-only", "facts.db").count("#c62828")), (0, all_runs.count("#c62828")))
        self.assertGreaterEqual(all_runs.count("#c62828"), 2)
        svg = self.graph("-f", "svg", "facts.db")
        self.assertIn("<svg", svg)

    def test_without_a_cycle(self):
        self.merge(shard(101, (1, 2)), shard(102, (1, 2)))
        self.assertNotIn("#c62828", self.graph("facts.db"))
        self.assertEqual(self.edges(self.graph("--cycles-only", "facts.db")), 0)

    def test_in_the_page(self):
        self.merge(shard(101, (1, 2)), shard(102, (2, 1)))
        done = self.detect("report", "-f", "html", "facts.db")
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertIn(b'"edges"', done.stdout)

    def test_what_cannot_be_mixed(self):
        self.merge(shard(101, (1, 2)))
        self.assert_line(self.detect("graph", "facts.db", "run1.dtlog"), 2, "facts are reported alone")
        self.assert_line(self.detect("stats", "facts.db"), 2, "merged facts, which 'detect report' and 'detect graph' read")
        self.assert_line(self.detect("export", "facts.db"), 2, "merged facts have no times")


def large(pid, edges):
    """A run of one thread with so many lock orders that its rows are a transaction of their own."""
    log = Log(pid=pid, start_ns=pid)
    log.process([b"./large"], b"/usr/bin/large")
    log.module(1, b"/usr/bin/large", BASE, BASE, BASE + (1 << 30))
    log.segment(1, 1)
    log.thread(1, 1)
    log.lock(1, BASE + 0x4000)
    log.lock(2, BASE + 0x4040)
    for ident in range(1, 2 * edges, 2):
        for step in (0, 1):
            log.stack(ident + step, [BASE + 0x100000 + pid + 16 * (ident + step)])
            log.acq(ident + step, lock=1 + step, stack=ident + step, parent=ident if step else 0)
            log.sighting(ident + step, 1)
    log.exit(0)
    return log


class Large(MergeCase):
    """More than one transaction: one is written while the next is made."""
    EDGES = 35000  # six rows each

    def test_all_are_there(self):
        self.merge(large(101, self.EDGES), large(102, self.EDGES), shard(103, (1, 2)))
        with sqlite3.connect(self.folder / "facts.db") as facts:
            (runs,), = facts.execute("SELECT count(*) FROM run")
            (seen,), = facts.execute("SELECT count(*) FROM seen")
        self.assertEqual((runs, seen), (3, 2 * 2 * self.EDGES + 2))

    def test_no_room(self):
        """What can't be written is said once, and ends the merging."""
        for index in (1, 2):
            self.write(f"run{index}.dtlog", large(100 + index, self.EDGES).bytes())

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 20, 6 << 20))

        done = self.detect("merge", "-q", "-o", "facts.db", "run1.dtlog", "run2.dtlog", preexec_fn=limit, restore_signals=False)
        self.assert_line(done, 2, "facts.db")


class Across(MergeCase):
    def test_a_cycle_that_no_run_has(self):
        self.merge(shard(101, (1, 2)), shard(102, (2, 1)))
        for log in ("run1.dtlog", "run2.dtlog"):
            self.assertEqual(self.json_report(log, status=0)["findings"], [])
        (finding,) = self.json_report("facts.db", status=66)["findings"]
        self.assertEqual((finding["rule"], finding["level"]), ("lock-order-cycle", "warning"))
        self.assertIn("no single run shows it", finding["message"])
        runs = [event["run"].split()[0] for event in finding["events"]]
        self.assertEqual((sorted(set(runs)), runs[0] == runs[1], runs[2] == runs[3]), (["run1.dtlog", "run2.dtlog"], True, True))
        text = self.detect("report", "facts.db").stdout.decode()
        self.assertIn("in run run1.dtlog (bank, pid 101)", text)
        self.assertIn("in run run2.dtlog (bank, pid 102)", text)

    def test_three_runs(self):
        self.assertEqual(self.found(shard(101, (1, 2)), shard(102, (2, 3)), shard(103, (3, 1))), ["warning"])
        self.assertEqual(self.found(shard(101, (1, 2)), shard(102, (2, 3)), shard(103, (1, 3))), [])

    def test_the_same_order(self):
        self.assertEqual(self.found(shard(101, (1, 2)), shard(102, (1, 2))), [])

    def test_filters(self):
        for name, wanted, keywords in (
                ("all hold a gate", [], {"gate": True}), ("readers only", [], {"kind": RWLOCK, "modes": (1, 1)}),
                ("a writer", ["warning"], {"kind": RWLOCK, "modes": (1, 0)}), ("a try", [], {"wait": 2}),
                ("with a time limit", ["note"], {"wait": 1})):
            with self.subTest(name):
                self.assertEqual(self.found(shard(101, (1, 2), **keywords), shard(102, (2, 1), **keywords)), wanted)

    def test_other_programs_locks_are_others(self):
        self.assertEqual(self.found(shard(101, (1, 2)), shard(102, (2, 1), program=b"/usr/bin/shop")), [])

    def test_another_build(self):
        """Lines and addresses of code may differ; the locks are the same."""
        self.assertEqual(self.found(shard(101, (1, 2)), shard(102, (2, 1), build=0x100)), ["warning"])

    def test_one_thread_of_a_role(self):
        """A role that has one thread at a time cannot meet itself in another run."""
        same = [0x1000, 0x1000]
        self.assertEqual(self.found(shard(101, (1, 2), starts=same), shard(102, (2, 1), starts=same)), ["note"])

    def test_two_threads_of_a_role(self):
        same = [0x1000, 0x1000]
        self.assertEqual(self.found(shard(101, (1, 2), (1, 2), starts=same), shard(102, (2, 1), starts=same)), ["warning"])

    def one_thread_inversion(self, pid, start):
        log = shard(pid, (1, 2), starts=[start])
        log.stack(11, [BASE + 0x3020, BASE + 0x8000])
        log.stack(12, [BASE + 0x3010, BASE + 0x8000])
        log.acq(11, lock=2, stack=11)
        log.acq(12, lock=1, stack=12, parent=11)
        for acq in (11, 12):
            log.sighting(acq, 2)
        return log

    def test_a_note_stays_one_when_all_runs_are_alike(self):
        self.assertEqual(self.found(self.one_thread_inversion(101, 0x1000), self.one_thread_inversion(102, 0x1000)), ["note"])

    def test_a_note_is_raised_by_other_threads(self):
        self.assertEqual(self.found(self.one_thread_inversion(101, 0x1000), self.one_thread_inversion(102, 0x5000)), ["warning"])

    def test_before_the_others_start(self):
        """What main does before it starts the workers stays before them, whichever run is looked at."""
        ordered = shard(101, (1, 2), (2, 1), first_in_main=True)
        self.assertEqual(self.found(ordered, shard(102, (2, 1))), [])
        self.assertEqual(self.found(ordered, shard(103, (1, 2), first_in_main=True), shard(102, (2, 1))), [])
        self.assertEqual(self.found(shard(103, (1, 2), first_in_main=True), shard(102, (2, 1))), ["warning"])


class Whole(MergeCase):
    def strip(self, report):
        """A report's findings without what merging adds."""
        for finding in report["findings"]:
            for key in ("runs", "pid"):
                finding.pop(key, None)
        return sorted(report["findings"], key=lambda finding: finding["fingerprint"])

    def test_what_one_run_shows_is_kept_whole(self):
        for log in (inversion(), many_findings(20), shard(101, (1, 2), (2, 1), kind=RWLOCK)):
            (self.folder / "facts.db").unlink(missing_ok=True)
            self.merge(log)
            self.assertEqual(self.strip(self.json_report("facts.db")), self.strip(self.json_report("run1.dtlog")))

    def test_hostile_names(self):
        log = inversion(program=b"/usr/bin/a\"b'\\c{},\x1b[31m\xff\n", names=(b"x\xfe\"", b"'; DROP TABLE run;--"))
        self.merge(log)
        report = self.json_report("facts.db")
        self.assertEqual(self.strip(report), self.strip(self.json_report("run1.dtlog")))

    def test_samples(self):
        for name in ("bank-transfer-bug", "heap-objects-bug", "cond-wait-while-holding-bug", "three-way-cycle-bug", "gate-lock-fix"):
            shutil.rmtree(self.folder / "logs", ignore_errors=True)
            (self.folder / "facts.db").unlink(missing_ok=True)
            for _ in range(3):
                self.detect("run", "-o", "logs", "-r", "/dev/null", "--", SAMPLES / name)
            logs = sorted(path for path in (self.folder / "logs").rglob("*.dtlog"))
            self.merge(*logs)
            alone, merged = self.json_report(*logs), self.json_report("facts.db")
            for report in (alone, merged):
                report["brief"] = sorted((f["rule"], f["level"], f["fingerprint"], f["count"]) for f in report["findings"])
            self.assertEqual(merged["brief"], alone["brief"], name)
            self.assertEqual([f["runs"] for f in merged["findings"]], [3] * len(merged["findings"]), name)

    def dump(self, path="facts.db"):
        with sqlite3.connect(self.folder / path) as db:
            return {table: sorted(db.execute(f"select * from {table}")) for table in TABLES}

    def test_merging_again_changes_nothing(self):
        runs = [shard(101, (1, 2)), shard(102, (2, 1)), inversion()]
        self.merge(*runs)
        first = self.dump()
        self.merge(*runs)
        self.merge("run2.dtlog", "run3.dtlog")
        self.assertEqual(self.dump(), first)
        for name in ("run3.dtlog", "run1.dtlog", "run2.dtlog"):
            self.merge(name, out="other.db")
        keys = [{table: [row[:TABLES[table]] for row in rows] for table, rows in dump.items()} for dump in (first, self.dump("other.db"))]
        self.assertEqual(*keys)
        self.assertEqual(sorted(path.name for path in self.folder.glob("facts.db*")), ["facts.db"])

    def test_many_writers(self):
        for pid in range(24):
            self.write(f"s{pid}.dtlog", shard(101 + pid, (1 + pid % 3, 1 + (pid + 1) % 3)).bytes())
        for _ in range(20):  # each time the writers change the file's mode under each other
            (self.folder / "facts.db").unlink(missing_ok=True)
            writers = [subprocess.Popen([DETECT, "merge", "-q", "-o", "facts.db", *(f"s{pid}.dtlog" for pid in range(first, 24, 6))],
                                        cwd=self.folder, stderr=subprocess.PIPE) for first in range(6)]
            said = [(writer.communicate()[1], writer.returncode) for writer in writers]
            self.assertEqual(said, [(b"", 0)] * 6)
        self.merge(*(f"s{pid}.dtlog" for pid in range(24)), out="one.db")
        self.assertEqual(self.dump(), self.dump("one.db"))

    def test_formats_baselines_and_suppressions(self):
        self.merge(shard(101, (1, 2)), shard(102, (2, 1)))
        for form in ("sarif", "junit", "markdown", "github", "gitlab", "valgrind"):
            done = self.detect("report", "-f", form, "facts.db")
            self.assertEqual(done.returncode, 66, done.stderr)
            self.assertIn(b"no single run shows it", done.stdout, form)
        self.detect("report", "-f", "json", "-r", "base.json", "facts.db")
        self.assertEqual(self.json_report("--baseline=base.json", "facts.db", status=0)["summary"]["known"], 1)
        self.detect("report", "--gen-suppressions=supp", "facts.db")
        self.assertEqual(self.json_report("--suppressions=supp", "facts.db", status=0)["summary"]["suppressed"], 1)

    def test_wrong_uses(self):
        self.write("run.dtlog", inversion().bytes())
        self.write("text", "not a database, and longer than the head of one: " * 9)
        sqlite3.connect(self.folder / "empty.db").execute("create table x(y)").connection.close()
        self.merge("run.dtlog")
        self.assert_line(self.detect("merge", "run.dtlog"), 2, "where to?")
        self.assert_line(self.detect("merge", "-o", "x.db"), 2, "which LOG?")
        self.assert_line(self.detect("merge", "-o", "x.db", "nowhere"), 2, "nowhere")
        self.assert_line(self.detect("merge", "-o", "no/such/folder/x.db", "run.dtlog"), 2, "no/such/folder/x.db")
        self.assert_line(self.detect("merge", "-o", "text", "run.dtlog"), 2, "text", "not a database")
        self.assert_line(self.detect("report", "empty.db"), 2, "empty.db", "detect merge -o empty.db")
        self.assert_line(self.detect("report", "run.dtlog", "facts.db"), 2, "facts.db", "alone")
        with sqlite3.connect(self.folder / "facts.db") as db:
            db.execute("update detect_meta set value = '99'")
        self.assert_line(self.detect("report", "facts.db"), 2, "facts.db", "version 99")
        done = self.detect("merge", "-o", "postgresql://me:secret@127.0.0.1:1/x", "run.dtlog")
        self.assert_line(done, 2, "postgresql://me@127.0.0.1:1/x")
        self.assertNotIn(b"secret", done.stderr)


def find_postgres():
    for folder in [*sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *map(pathlib.Path, os.environ["PATH"].split(":"))]:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    return None


@unittest.skipUnless(find_postgres(), "needs PostgreSQL's server")
class Postgres(MergeCase):
    """A cluster of our own, on a socket in a temporary folder."""

    @classmethod
    def as_owner(cls, *command):
        """initdb refuses root."""
        if os.geteuid() == 0:
            command = ("runuser", "-u", "postgres", "--", *map(str, command))
        return subprocess.run(command, cwd="/", check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    @classmethod
    def setUpClass(cls):
        cls.cluster = pathlib.Path(subprocess.run(["mktemp", "-d", "/tmp/detect-pg-XXXXXX"], check=True, stdout=subprocess.PIPE).stdout.decode().strip())
        cls.addClassCleanup(shutil.rmtree, cls.cluster, ignore_errors=True)
        if os.geteuid() == 0:
            shutil.chown(cls.cluster, "postgres")
            cls.cluster.chmod(0o755)
        binaries = find_postgres()
        cls.as_owner(binaries / "initdb", "-D", cls.cluster / "data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        cls.as_owner(binaries / "pg_ctl", "-D", cls.cluster / "data", "-w", "-l", cls.cluster / "log",
                     "-o", f"-k {cls.cluster} -c listen_addresses= -c fsync=off", "start")
        cls.addClassCleanup(cls.as_owner, binaries / "pg_ctl", "-D", cls.cluster / "data", "-m", "immediate", "stop")
        cls.databases = 0

    def setUp(self):
        super().setUp()
        type(self).databases += 1
        self.name = f"facts{self.databases}"
        self.sql(f"create database {self.name}", "postgres")
        self.url = f"postgresql://postgres@/{self.name}?host={self.cluster}"

    def sql(self, statement, database=None):
        done = subprocess.run(["psql", "-X", "-A", "-t", "-F", "\x1f", "-R", "\x1e", "-h", self.cluster, "-U", "postgres", "-d", database or self.name, "-c", statement],
                              check=True, stdout=subprocess.PIPE)
        return done.stdout.decode()

    def dump(self):
        return {table: sorted(self.sql(f"select * from {table}").strip("\n").split("\x1e")) for table in TABLES}

    def test_the_same_as_sqlite(self):
        hostile = inversion(program=b"/usr/bin/a\"b'\\c{},\x1b[31m\xff\n", names=(b"x\xfe\"", b"'; DROP TABLE run;--"), log=Log(pid=9))
        runs = [shard(101, (1, 2)), shard(102, (2, 1)), inversion(), hostile, many_findings(30)]
        self.merge(*runs, out=self.url)
        self.merge(*runs)
        with sqlite3.connect(self.folder / "facts.db") as db:
            for table in TABLES:
                rows = sorted("\x1f".join("" if value is None else str(value) for value in row) for row in db.execute(f"select * from {table}"))
                self.assertEqual(sorted(self.sql(f"select * from {table}").rstrip("\n").split("\x1e")), rows, table)
        from_server, from_file = self.json_report(self.url), self.json_report("facts.db")
        self.assertEqual(from_server, from_file)
        self.assertIn("no single run shows it", json.dumps(from_server))

    def test_many_writers(self):
        for pid in range(24):
            self.write(f"s{pid}.dtlog", shard(101 + pid, (1 + pid % 3, 1 + (pid + 1) % 3)).bytes())
        writers = [subprocess.Popen([DETECT, "merge", "-q", "-o", self.url, *(f"s{pid}.dtlog" for pid in range(24) if (pid + first) % 3)],
                                    cwd=self.folder, stderr=subprocess.PIPE) for first in range(6)]
        for writer in writers:
            self.assertEqual((writer.communicate()[1], writer.returncode), (b"", 0))
        together = self.dump()
        self.merge(*(f"s{pid}.dtlog" for pid in range(24)), out=self.url)
        self.assertEqual(self.dump(), together)
        self.assertEqual(len(together["run"]), 24)

    def test_errors(self):
        self.write("run.dtlog", inversion().bytes())
        self.assert_line(self.detect("report", self.url), 2, "no database of merged facts")
        self.assert_line(self.detect("merge", "-o", self.url.replace(self.name, "nowhere"), "run.dtlog"), 2, "nowhere")


if __name__ == "__main__":
    unittest.main()
