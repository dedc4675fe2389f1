"""detect export: a trace by the rules of Chrome's trace event format, from what a log says and from a real run."""

import json
import os
import pathlib
import subprocess
import unittest

import dtlog
from detect_case import DETECT, DetectCase

PROGRAMS = pathlib.Path(os.environ.get("DETECT_PROGRAMS") or pathlib.Path(DETECT).parent.parent / "tests/e2e/programs")
MS = 1_000_000
HOSTILE = b"\"\\ </script> \x1b[31m\n\xff\xe2\x80\xae"


class Export(DetectCase):
    def trace(self, *args):
        done = self.detect("export", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.check(json.loads(done.stdout.decode("utf-8", "strict")))

    def check(self, document):
        """What the format asks for, and that events of a track nest. Gives (intervals, track names, process names)."""
        self.assertLessEqual({"traceEvents", "displayTimeUnit"}, set(document))
        self.assertIn(document["displayTimeUnit"], ("ms", "ns"))
        intervals, names, processes, tracks = [], {}, {}, {}
        for event in document["traceEvents"]:
            self.assertIn(event["ph"], ("X", "M"))
            self.assertIs(type(event["pid"]), int)
            self.assertIs(type(event["tid"]), int)
            track = event["pid"], event["tid"]
            if event["ph"] == "M":
                self.assertIn(event["name"], ("process_name", "thread_name", "thread_sort_index"))
                if event["name"] == "thread_name":
                    self.assertNotIn(track, names)
                    names[track] = event["args"]["name"]
                elif event["name"] == "process_name":
                    processes[event["pid"]] = event["args"]["name"]
                continue
            self.assertGreaterEqual(event["dur"], 0)
            self.assertIn(event["cat"], ("hold", "wait"))
            self.assertIn(track, names)
            intervals.append(event)
            begin, duration = round(event["ts"] * 1000), round(event["dur"] * 1000)
            tracks.setdefault(track, []).append((begin, begin + duration))
        for spans in tracks.values():
            open_ends = []
            for begin, end in spans:  # in order of their begin
                while open_ends and open_ends[-1] <= begin:
                    open_ends.pop()
                self.assertTrue(not open_ends or open_ends[-1] >= end, (open_ends, begin, end))
                open_ends.append(end)
            self.assertEqual(spans, sorted(spans, key=lambda span: (span[0], -span[1])))
        return intervals, names, processes

    def test_times_and_names(self):
        log = dtlog.inversion()
        log.interval(2, 1, 5 * MS, 9 * MS, stack=1)
        log.interval(2, 2, 6 * MS, 7 * MS + 500, stack=2, kind=dtlog.WAIT)
        log.interval(3, 2, 4 * MS, 7 * MS + 500)
        self.write("log", log.bytes())
        intervals, names, processes = self.trace("log")
        self.assertEqual([(it["cat"], it["tid"], it["ts"], it["dur"]) for it in intervals],
                         [("hold", 2, 5000, 4000), ("wait", 2, 6000, 1000.5), ("hold", 3, 4000, 3000.5)])
        self.assertEqual([it["name"] for it in intervals][:2], ["holds mutex first locked at bank+0x1010", "waits for mutex first locked at bank+0x2010"])
        self.assertEqual(intervals[0]["args"], {"lock": "mutex first locked at bank+0x1010", "kind": "mutex", "at": "bank+0x1010"})
        self.assertEqual(names, {(71, 2): 'thread 2 "teller"', (71, 3): 'thread 3 "auditor"'})
        self.assertEqual(processes, {71: "bank (pid 71)"})

    def test_hand_over_hand(self):
        """Holds that overlap without one in the other can't be on one track."""
        log = dtlog.inversion()
        for step in range(6):
            log.interval(2, 1 + step % 2, step * 10 * MS, (step * 10 + 15) * MS)
        log.interval(2, 1, 12 * MS, 14 * MS)
        self.write("log", log.bytes())
        intervals, names, _ = self.trace("log")
        self.assertEqual(len(intervals), 7)
        self.assertEqual(sorted(names.values()), ['thread 2 "teller"', 'thread 2 "teller", overlapping'])

    def test_processes_of_one_number(self):
        for name, start in (("a.dtlog", 1), ("b.dtlog", 2)):
            log = dtlog.inversion(dtlog.Log(start_ns=start))
            log.interval(2, 1, 5 * MS, (8 + start) * MS)
            self.write(name, log.bytes())
        intervals, _, processes = self.trace("a.dtlog", "b.dtlog")
        self.assertEqual(len({it["pid"] for it in intervals}), 2)
        self.assertEqual(list(processes.values()), 2 * ["bank (pid 71)"])

    def test_hostile_log(self):
        """Names that mean harm, ids that are not there, time that runs backwards."""
        log = dtlog.inversion(program=b"/usr/bin/" + HOSTILE.replace(b"/", b"|"), names=(HOSTILE, HOSTILE))
        log.interval(2, 1, 5 * MS, 9 * MS, stack=1)
        log.interval(99, 98, 0, 2 ** 64 - 1, stack=97)
        for step in range(300):
            log.interval(3, 1, step, 10 * MS + 2 * step)  # no two of them nest
        self.write("log", log.bytes())
        intervals, names, _ = self.trace("log")
        self.assertEqual(sum(it["args"]["lock"] == "lock 98" for it in intervals), 1)
        self.assertIn("thread 2 \"\"\\ </script> \\x1B[31m\\x0A\\xFF\\u{202E}\"", names.values())
        self.assertGreater(len(intervals), 60)
        log.interval(2, 1, 9 * MS, 5 * MS, stack=1)  # as no shim writes it: what came before is there
        self.write("log", log.bytes())
        self.assertEqual(len(self.trace("log")[0]), len(intervals))
        self.assertIn(b"corrupt at offset", self.detect("export", "log").stderr)

    def test_nothing_timed(self):
        self.write("log", dtlog.inversion().bytes())
        done = self.detect("export", "--format=perfetto", "-o", "out.json", "log")
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        self.assertIn(b"the trace is empty", done.stderr)
        self.assertEqual(json.loads((self.folder / "out.json").read_text())["traceEvents"], [])

    def test_errors(self):
        self.write("log", dtlog.inversion().bytes())
        self.assert_line(self.detect("export"), 2, "which LOG")
        self.assert_line(self.detect("export", "--format=chart", "log"), 2, "--format", "chart", "perfetto")
        self.assert_line(self.detect("export", "-o", "no/folder/x", "log"), 2, "--output", "no/folder/x")

    def test_merged_facts_have_no_times(self):
        self.write("log", dtlog.inversion().bytes())
        self.assertEqual(self.detect("merge", "-q", "-o", "facts.db", "log").returncode, 0)
        for place, said in (("facts.db", "facts.db"), ("postgresql://me:secret@127.0.0.1:1/x", "that database")):
            done = self.detect("export", "--format=perfetto", "-o", "out.json", place)
            self.assert_line(done, 2, said, "no times", "export the logs")
            self.assertNotIn(b"secret", done.stderr)
        self.assertFalse((self.folder / "out.json").exists())

    def test_real_run(self):
        logs = self.folder / "logs"
        done = self.detect("run", "-o", logs, "--", PROGRAMS / "contention", "counts")
        self.assertEqual(done.returncode, 0, done.stderr)
        intervals, names, processes = self.trace(logs)
        waits = [it for it in intervals if it["cat"] == "wait"]
        self.assertTrue(any(it["args"]["lock"] == "cold" and it["dur"] > 100e3 for it in waits), waits)
        self.assertTrue(any(it["cat"] == "hold" and it["args"]["lock"] == "hot" for it in intervals))
        self.assertEqual(len(processes), 1)
        self.assertGreater(len(names), 1)


if __name__ == "__main__":
    unittest.main()
