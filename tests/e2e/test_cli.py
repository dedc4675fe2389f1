"""The command line of `detect`: usage, exit statuses, logs good and bad, hostile names, filters."""

import json
import os
import random
import shutil
import signal
import stat
import struct
import subprocess
import unittest

import dtlog
from detect_case import DETECT, DetectCase


class Memory(DetectCase):
    def peak(self, *args):
        """The greatest resident size of a command, in bytes."""
        child = subprocess.Popen([DETECT, *map(str, args)], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.assertIn(child.returncode, (0, 66))
        return usage.ru_maxrss * 1024

    def test_one_log_at_a_time(self):
        """Many logs take no more than the largest, and what was found in them."""
        log = dtlog.many_findings(1, harmless=15000).bytes()
        self.write("one", log)
        (self.folder / "many").mkdir()
        for index in range(8):
            self.write(f"many/{index}.dtlog", log)
        for command in (("report", "-r", "report"), ("export", "-o", "trace")):
            with self.subTest(command=command[0]):
                self.assertLess(self.peak(*command, "many") - self.peak(*command, "one"), 2 * len(log))


class Usage(DetectCase):
    def test_commands(self):
        self.assert_line(self.detect(), 2, "--help")
        self.assert_line(self.detect("reprot"), 2, "no command 'reprot'", "did you mean 'report'")
        self.assert_line(self.detect("zzzzzzzz"), 2, "no command")
        self.assert_line(self.detect("--nope"), 2, "--nope")

    def test_help_and_version(self):
        commands = self.detect("--help").stdout.decode()
        for command in ("run", "report", "explain"):
            self.assertIn("\n  " + command, commands)
            done = self.detect(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(("Usage: detect %s" % command).encode(), done.stdout)
        self.assertRegex(self.detect("--version").stdout, rb"^detect \(libdetect\) \d+\.\d+\.\d+\n$")

    def test_wrong_options(self):
        for args in (["--bogus"], ["-Z"], ["-f"], ["-f", "xml"], ["--format=xml"], ["--exitcode=256"],
                     ["--exitcode=-1"], ["--exitcode=x"], ["--exitcode="], ["--fail-on=fatal"],
                     ["--color=blue"], ["--suppressions=nowhere"], ["--baseline=nowhere"]):
            for command, argument in (("run", "/bin/true"), ("report", ".")):
                with self.subTest(command=command, args=args):
                    self.assert_line(self.detect(command, *args, argument), 2)
        self.assert_line(self.detect("run", "--on-deadlock=ignore", "true"), 2, "report, exit, abort, break")
        self.assert_line(self.detect("run", "--children=maybe", "true"), 2, "yes")
        self.assert_line(self.detect("run", "-f", "xml", "true"), 2, "text, json")
        self.assert_line(self.detect("run"), 2, "PROGRAM")
        self.assert_line(self.detect("report"), 2, "LOG")

    def test_explain(self):
        listed = self.detect("explain")
        self.assertEqual(listed.returncode, 0)
        rules = [line.split()[0] for line in listed.stdout.decode().splitlines()]
        self.assertIn("lock-order-cycle", rules)
        for rule in rules:
            text = self.detect("explain", rule)
            self.assertEqual(text.returncode, 0)
            self.assertGreater(len(text.stdout), 200)
        self.assert_line(self.detect("explain", "lock-order-cylce"), 2, "did you mean 'lock-order-cycle'")
        self.assert_line(self.detect("explain", "x", "y"), 2)


class BadLogs(DetectCase):
    def test_not_there(self):
        self.assert_line(self.detect("report", "nowhere"), 2, "nowhere: No such file")

    def test_empty_folder(self):
        (self.folder / "logs").mkdir()
        self.write("logs/readme.txt", "no log")
        self.assert_line(self.detect("report", "logs"), 2, "logs: no logs")

    def test_no_log(self):
        for name, content in (("empty", b""), ("text", b"hello"), ("zeroed", b"\0" * 9000), ("noise", os.urandom(9000))):
            self.write(name, content)
            self.assert_line(self.detect("report", name), 2, name, "not a libdetect log")
        self.assert_line(self.detect("report", "/dev/null"), 2, "not a file or a folder")

    def test_fifo_does_not_hang(self):
        os.mkfifo(self.folder / "fifo.dtlog")
        self.assert_line(self.detect("report", "fifo.dtlog"), 2, "not a file or a folder")

    def test_cut_header(self):
        self.write("cut", dtlog.inversion().bytes()[:100])
        self.assert_line(self.detect("report", "cut"), 2, "cut off inside its header")

    def test_other_version(self):
        for version in (dtlog.VERSION - 1, 7):
            self.write("other", dtlog.inversion().bytes(version=version))
            self.assert_line(self.detect("report", "other"), 2, f"version {version}", f"version {dtlog.VERSION}")

    def test_other_byte_order(self):
        self.write("big", dtlog.inversion(dtlog.Log(order=">")).bytes())
        self.assert_line(self.detect("report", "big"), 2, "other byte order")

    def test_corrupt_header(self):
        data = bytearray(dtlog.inversion().bytes())
        data[16:20] = struct.pack("<I", 5)
        self.write("header", bytes(data))
        self.assert_line(self.detect("report", "header"), 2, "corrupt at offset 16")

    def test_unreadable(self):
        path = self.write("secret", dtlog.inversion().bytes())
        path.chmod(0)
        if os.access(path, os.R_OK):
            self.skipTest("running as one who may read all")
        self.assert_line(self.detect("report", "secret"), 2, "Permission denied")

    def test_corrupt_record_keeps_what_came_before(self):
        log = dtlog.inversion()
        at = dtlog.HEADER_BYTES + len(log.records)
        log.records += struct.pack("<HHI", dtlog.LOCK, 0, 0xFFFFFF)
        self.write("corrupt", log.bytes())
        done = self.detect("report", "-f", "json", "corrupt")
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 66)
        self.assertEqual(len(report["findings"]), 1)
        self.assertIn("corrupt at offset %d" % at, done.stderr.decode())
        self.assertTrue(any("corrupt at offset" in notice for notice in report["notices"]))

    def test_cut_records_keep_what_came_before(self):
        whole = dtlog.inversion()
        self.write("cut", whole.bytes()[:dtlog.HEADER_BYTES + len(whole.records) - 8])
        done = self.detect("report", "cut")
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertIn(b"corrupt at offset", done.stderr + done.stdout)

    def test_bad_log_in_a_folder_is_a_notice(self):
        (self.folder / "logs").mkdir()
        self.write("logs/a.dtlog", dtlog.inversion().bytes())
        self.write("logs/b.dtlog", b"")
        report = self.json_report("logs", status=66)
        self.assertEqual(len(report["processes"]), 1)
        self.assertTrue(any("b.dtlog" in notice for notice in report["notices"]))

    def test_all_bad_in_a_folder(self):
        (self.folder / "logs").mkdir()
        self.write("logs/b.dtlog", b"x")
        self.assert_line(self.detect("report", "logs"), 2, "b.dtlog")

    def test_any_bytes(self):
        """Bit flips, runs of zeros and cuts: a report or one line, never a crash."""
        whole = dtlog.inversion().bytes()
        used = len(whole) - 4096
        chance = random.Random(20)
        for round_number in range(150):
            data = bytearray(whole)
            for _ in range(chance.choice([1, 3, 20])):
                place = chance.randrange(used) if chance.random() < 0.2 else chance.randrange(4096, used)
                if chance.random() < 0.7:
                    data[place] ^= 1 << chance.randrange(8)
                else:
                    data[place:place + 8] = chance.choice([b"\0" * 8, b"\xff" * 8])
            if chance.random() < 0.2:
                del data[chance.randrange(len(data)):]
            self.write("any", bytes(data))
            done = self.detect("report", "-v", "-f", "json", "any")
            with self.subTest(round=round_number):
                self.assertIn(done.returncode, (0, 2, 66), done.stderr)
                if done.returncode != 2:
                    json.loads(done.stdout.decode("utf-8", "strict"))

    def test_unwritable_report(self):
        self.write("good", dtlog.inversion().bytes())
        self.assert_line(self.detect("report", "-r", "no/where", "good"), 2, "no/where")
        done = self.detect("report", "-r", "/dev/full", "good")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertRegex(done.stderr.splitlines()[-1], rb"^detect report: .*/dev/full: No space left")


class Report(DetectCase):
    def setUp(self):
        super().setUp()
        self.write("bank.dtlog", dtlog.inversion().bytes())

    def test_json_of_the_contract(self):
        report = self.json_report("bank.dtlog", status=66)
        self.assertEqual((report["format"], report["version"]), ("libdetect-findings", 1))
        self.assertEqual(report["tool"]["name"], "libdetect")
        process, = report["processes"]
        self.assertEqual({key: process[key] for key in ("pid", "ppid", "argv", "exit", "signal", "threads", "locks")},
                         {"pid": 71, "ppid": 70, "argv": ["./bank", "--now"], "exit": 0, "signal": None,
                          "threads": 3, "locks": 2})
        self.assertEqual(report["summary"], {"error": 0, "warning": 1, "note": 0, "suppressed": 0, "known": 0,
                                             "gone": 0})
        finding, = report["findings"]
        self.assertEqual((finding["rule"], finding["level"], finding["pid"], finding["count"], finding["state"]),
                         ("lock-order-cycle", "warning", 71, 1, None))
        self.assertRegex(finding["fingerprint"], "^[0-9a-f]{32}$")
        names = {lock["id"]: lock["name"] for lock in finding["locks"]}
        self.assertEqual(sorted(names), [1, 2])
        for name in names.values():
            self.assertIn(name, finding["message"])
        acting = {event["thread"] for event in finding["events"]}
        self.assertEqual(acting, {2, 3})
        self.assertLessEqual(acting, {thread["id"] for thread in finding["threads"]})
        acquires = [event for event in finding["events"] if event["what"] == "acquire"]
        self.assertEqual(sorted((event["lock"], event["holding"]) for event in acquires), [(1, [2]), (2, [1])])
        for event in finding["events"]:
            self.assertEqual(len(event["stack"]), 2)
            for frame in event["stack"]:
                self.assertEqual(frame["module"], "bank")
                self.assertRegex(frame["offset"], "^0x[0-9a-f]+$")

    def test_text(self):
        done = self.detect("report", "bank.dtlog")
        text = done.stdout.decode()
        self.assertEqual(done.returncode, 66)
        self.assertNotIn("\033", text)
        self.assertTrue(text.startswith("WARNING: lock-order-cycle"))
        self.assertRegex(text.splitlines()[-1], r"^SUMMARY: libdetect: 0 errors, 1 warning, 0 notes ")
        for piece in ("Thread 2 \"teller\"", "Thread 3 \"auditor\"", "holding `", "wants `", "What to change:",
                      "detect explain lock-order-cycle", "created by the main thread"):
            self.assertIn(piece, text)

    def test_colour(self):
        forced = self.detect("report", "--color=always", "bank.dtlog").stdout
        self.assertIn(b"\033[", forced)
        for arg in ("--color=never", "--color=auto"):
            self.assertNotIn(b"\033", self.detect("report", arg, "bank.dtlog").stdout)

    def terminal(self, env):
        """The report's bytes as a terminal gets them."""
        ours, theirs = os.openpty()
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        subprocess.run([DETECT, "report", self.folder / "bank.dtlog"], stdout=theirs, env={**environment, **env})
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:
            pass
        os.close(ours)
        return text

    def test_colour_on_a_terminal(self):
        self.assertIn(b"\033[", self.terminal({"TERM": "xterm"}))
        self.assertNotIn(b"\033", self.terminal({"TERM": "xterm", "NO_COLOR": "1"}))
        self.assertNotIn(b"\033", self.terminal({"TERM": "dumb"}))

    def test_statuses(self):
        for args, status in (([], 66), (["--exitcode=3"], 3), (["--exitcode=0"], 0), (["--fail-on=error"], 0),
                             (["--fail-on=note"], 66), (["--fail-on=never"], 0)):
            self.assertEqual(self.detect("report", *args, "bank.dtlog").returncode, status, args)

    def test_report_file(self):
        self.write("out.json", "x" * 100000)
        done = self.detect("report", "-f", "json", "-r", "out.json", "bank.dtlog")
        self.assertEqual((done.returncode, done.stdout), (66, b""))
        self.assertEqual(len(json.loads((self.folder / "out.json").read_text())["findings"]), 1)

    def test_options_end(self):
        self.write("-v", dtlog.inversion().bytes())
        self.assertEqual(self.detect("report", "--", "-v").returncode, 66)

    def test_same_log_twice_counts_once(self):
        os.link(self.folder / "bank.dtlog", self.folder / "same.dtlog")
        report = self.json_report("bank.dtlog", "same.dtlog", "bank.dtlog", ".")
        self.assertEqual(len(report["processes"]), 1)
        self.assertEqual(report["findings"][0]["count"], 1)

    def test_one_bug_in_many_processes(self):
        for pid in (90, 80):
            self.write("%d.dtlog" % pid, dtlog.inversion(dtlog.Log(pid=pid, start_ns=pid)).bytes())
        self.write("other.dtlog", dtlog.inversion(dtlog.Log(pid=99), program=b"/usr/bin/other").bytes())
        report = self.json_report(".")
        self.assertEqual([process["pid"] for process in report["processes"]], [80, 90, 71, 99])
        self.assertEqual([(finding["pid"], finding["count"]) for finding in report["findings"]], [(80, 3), (99, 1)])

    def test_dropped_records_are_said(self):
        log = dtlog.inversion()
        log.counters[dtlog.COUNTERS["dropped"]] = 12
        self.write("full.dtlog", log.bytes())
        self.assertIn(b"12 records found no room", self.detect("report", "full.dtlog").stdout)

    def test_exec_that_left_no_log_is_said(self):
        before = dtlog.Log(pid=5, start_ns=1)
        before.process([b"sh"], b"/bin/sh")
        before.exec()
        self.write("before.dtlog", before.bytes())
        self.assertIn(b"sh (pid 5) became another program", self.detect("report", "before.dtlog").stdout)
        after = dtlog.Log(pid=5, start_ns=2)
        after.process([b"true"], b"/bin/true")
        after.exit(4)
        self.write("after.dtlog", after.bytes())
        report = self.json_report("after.dtlog", "before.dtlog", status=0)
        self.assertEqual(report["notices"], [])
        self.assertEqual([(process["argv"], process["exit"]) for process in report["processes"]],
                         [(["sh"], None), (["true"], 4)])

    def test_inferred_frames_are_marked(self):
        log = dtlog.inversion()
        log.stack(6, [0x401010, 0x401900], exact=1)
        log.lock(3, 0x404080)
        log.lock(4, 0x4040c0)
        for base, first, second, segment in ((10, 3, 4, 2), (20, 4, 3, 3)):
            log.acq(base, lock=first, stack=6)
            log.acq(base + 1, lock=second, stack=6, parent=base)
            log.sighting(base, segment)
            log.sighting(base + 1, segment)
        self.write("inferred.dtlog", log.bytes())
        stacks = [event["stack"] for finding in self.json_report("inferred.dtlog")["findings"]
                  for event in finding["events"] if {event["lock"]} <= {3, 4}]
        self.assertTrue(stacks)
        for stack in stacks:
            self.assertEqual([frame["inferred"] for frame in stack], [False, True])
        self.assertIn(b"(inferred)", self.detect("report", "inferred.dtlog").stdout)

    def test_quiet_and_clean(self):
        log = dtlog.Log()
        log.process([b"./idle"], b"/bin/idle")
        self.write("idle.dtlog", log.bytes())
        done = self.detect("report", "idle.dtlog")
        self.assertEqual((done.returncode, done.stdout.count(b"\n")), (0, 1))
        self.assertEqual(self.detect("report", "-q", "idle.dtlog").stdout, b"")


class HostileNames(DetectCase):
    EVIL = b"\033]0;owned\007\nSUMMARY: libdetect: 0 errors\r\xff\xfe\xe2\x80\xae\x9b31m`\"<&\\"

    def setUp(self):
        super().setUp()
        log = dtlog.Log()
        dtlog.inversion(log, program=b"/tmp/" + self.EVIL.replace(b"/", b"_"), names=(self.EVIL, self.EVIL))
        self.write("evil.dtlog", log.bytes())

    def test_text_cannot_steer_the_terminal(self):
        done = self.detect("report", "-v", "evil.dtlog")
        self.assertEqual(done.returncode, 66)
        text = done.stdout.decode("utf-8", "strict")
        for character in text:
            self.assertTrue(character == "\n" or (character.isprintable()), repr(character))
        self.assertEqual(sum(line.startswith("SUMMARY:") for line in text.splitlines()), 1)

    def test_json_is_valid(self):
        report = self.json_report("evil.dtlog", status=66)
        name = report["findings"][0]["threads"][0]["name"]
        self.assertIn("\x1b]0;owned", name)
        self.assertIn("\ufffd", name)

    def test_paths_in_errors(self):
        done = self.detect("report", "no\nwhere\033[1m")
        self.assert_line(done, 2, "no\\x0Awhere\\x1B[1m")


class Filters(DetectCase):
    def setUp(self):
        super().setUp()
        self.write("bank.dtlog", dtlog.inversion().bytes())

    def with_suppressions(self, text):
        self.write("supp", text)
        return self.json_report("--suppressions=supp", "bank.dtlog")

    def test_suppressed(self):
        fingerprint = self.json_report("bank.dtlog")["findings"][0]["fingerprint"]
        for text in ("deadlock:bank\n", "lock-order-cycle:*b*nk$", "# why\n\n*:/usr/bin/*\r\n",
                     "fingerprint:" + fingerprint, "{\n  the bank\n  rule: lock-order-cycle\n  module: bank\n}\n",
                     "{\n thread: ^teller$\n thread: auditor\n}"):
            with self.subTest(text=text):
                report = self.with_suppressions(text)
                self.assertEqual(report["findings"], [])
                self.assertEqual((report["summary"]["suppressed"], report["summary"]["warning"]), (1, 0))
        self.assertEqual(self.detect("report", "--suppressions=supp", "bank.dtlog").returncode, 0)

    def test_not_suppressed(self):
        for text in ("", "deadlock:^bank", "wait-while-holding:bank", "race:bank", "fingerprint:0",
                     "{\n module: bank\n lock: nothing\n}\n"):
            with self.subTest(text=text):
                self.assertEqual(len(self.with_suppressions(text)["findings"]), 1)

    def test_unused_is_said_when_verbose(self):
        self.write("supp", "deadlock:nothing-like-it\n")
        self.assertNotIn(b"supp:1", self.detect("report", "--suppressions=supp", "bank.dtlog").stdout)
        self.assertIn(b"supp:1: deadlock:nothing-like-it",
                      self.detect("report", "-v", "--suppressions=supp", "bank.dtlog").stdout)

    def test_wrong_lines(self):
        for text, line, word in (("deadlock\n", 1, "RULE:PATTERN"), ("\ndedlock:x", 2, "no rule 'dedlock'"),
                                 ("deadlock:", 1, "no pattern"), ("{\n}\n", 2, "without a condition"),
                                 ("{\n name\n lock: a\n", 1, "no end"), ("{\n n\n lck: a\n}", 3, "did you mean 'lock'"),
                                 ("{\n rule: nope\n}", 2, "no rule 'nope'")):
            with self.subTest(text=text):
                self.write("supp", text)
                self.assert_line(self.detect("report", "--suppressions=supp", "bank.dtlog"), 2, "supp:%d: " % line, word)

    def test_baseline(self):
        self.detect("report", "-f", "json", "-r", "base.json", "bank.dtlog")
        done = self.detect("report", "-f", "json", "--baseline=base.json", "bank.dtlog")
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0)
        self.assertEqual((report["summary"]["known"], report["summary"]["warning"]), (1, 0))
        self.assertEqual([finding["known"] for finding in report["findings"]], [True])
        text = self.detect("report", "--baseline=base.json", "bank.dtlog").stdout
        self.assertIn(b"1 known", text)
        self.assertNotIn(b"WARNING", text)

    def test_wrong_baselines(self):
        for content in ("", "{", "[]", "{}", '{"format": "libdetect-findings", "version": 2, "findings": []}',
                        '{"format": "libdetect-findings", "version": 1}',
                        '{"format": "libdetect-findings", "version": 1, "findings": [{}]}', b"\xff\xfe"):
            with self.subTest(content=content):
                self.write("base.json", content)
                self.assert_line(self.detect("report", "--baseline=base.json", "bank.dtlog"), 2, "base.json")


class Run(DetectCase):
    def kept(self):
        return list(self.temporary.iterdir())

    def test_own_status(self):
        for script, status in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -SEGV $$", 139)):
            done = self.detect("run", "--", "sh", "-c", script)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertRegex(done.stderr.splitlines()[-1], rb"^SUMMARY: libdetect: 0 errors, 0 warnings, 0 notes \(seen: ")
            self.assertEqual(self.kept(), [])

    def test_ended_by_a_signal(self):
        done = self.detect("run", "sh", "-c", "kill -SEGV $$")
        self.assertEqual(done.returncode, 128 + signal.SIGSEGV)
        self.assertRegex(done.stderr, rb"(?m)^detect: \w+ \(pid \d+\) was ended by signal 11: Segmentation fault$")
        self.assertNotIn(b"ended by", self.detect("run", "sh", "-c", "exit 139").stderr)

    def test_exit_and_signal_in_json(self):
        for script, code, sent in (("exit 7", 7, None), ("kill -9 $$", None, 9)):
            self.detect("run", "-f", "json", "-r", "out.json", "sh", "-c", script)
            process = json.loads((self.folder / "out.json").read_text())["processes"][0]
            self.assertEqual((process["exit"], process["signal"]), (code, sent))
            self.assertEqual(process["argv"], ["sh", "-c", script])

    def test_cannot_execute(self):
        source = self.write("main.c", "int main(void) { return 0; }\n")
        if not shutil.which("cc"):
            self.skipTest("no C compiler")
        subprocess.run(["cc", "-static", source, "-o", self.folder / "static"], check=True)
        subprocess.run(["cc", source, "-o", self.folder / "suid"], check=True)
        (self.folder / "suid").chmod(0o4755)
        self.assert_line(self.detect("run", "./static"), 126, "./static", "statically linked")
        self.assert_line(self.detect("run", "./suid"), 126, "set-user-ID")
        for name, text in (("bad", "#!/no/such/interpreter\n"), ("deep", "#!%s\n" % (self.folder / "static"))):
            self.write(name, text).chmod(0o755)
            self.assert_line(self.detect("run", "./" + name), 126)
        self.write("plain", "x")
        self.assert_line(self.detect("run", "./plain"), 126, "Permission denied")
        self.assert_line(self.detect("run", self.folder), 126, "directory")
        self.assertEqual(self.kept(), [])

    def test_not_found(self):
        self.assert_line(self.detect("run", "no-such-program"), 127, "no-such-program: not found")
        self.assert_line(self.detect("run", "./no/such"), 127, "not found")
        self.assert_line(self.detect("run", ""), 127, "not found")

    def test_script_without_interpreter_line(self):
        self.write("script", 'echo "$0:$1"; exit 5\n').chmod(0o755)
        done = self.detect("run", "./script", "-v")
        self.assertEqual((done.returncode, done.stdout), (5, b"./script:-v\n"))

    def test_options_end_at_program(self):
        self.assertEqual(self.detect("run", "echo", "--version", "-f").stdout, b"--version -f\n")
        self.assertEqual(self.detect("run", "--", "echo", "--", "x").stdout, b"-- x\n")

    def test_set_up_errors_come_before_the_program(self):
        for args in (["-r", "no/where"], ["-o", "/proc/nowhere"], ["-o", self.write("file", "x")]):
            done = self.detect("run", *args, "touch", "ran")
            self.assert_line(done, 2)
            self.assertFalse((self.folder / "ran").exists())
        self.assert_line(self.detect("run", "touch", "ran", env={"DETECT_PRELOAD": "/no/shim.so"}), 2, "DETECT_PRELOAD")
        self.assertFalse((self.folder / "ran").exists())

    def test_output_folder(self):
        self.detect("run", "-o", "logs", "sh", "-c", "/bin/true; :")
        logs = self.folder / "logs"
        self.assertEqual(stat.S_IMODE(logs.stat().st_mode), 0o700)
        files = sorted(logs.iterdir())
        self.assertEqual(len(files), 2)
        for file in files:
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        done = self.detect("run", "-o", "logs", "true")
        self.assertIn(b"logs/run-1", done.stderr)
        self.assertEqual(len(list((logs / "run-1").iterdir())), 1)
        self.assertEqual(len(self.json_report("logs", status=0)["processes"]), 2)
        self.assertEqual(len(self.json_report("logs/run-1", status=0)["processes"]), 1)

    def test_shared_folder_gets_a_folder_of_its_own(self):
        (self.folder / "open").mkdir()
        (self.folder / "open").chmod(0o1777)
        self.detect("run", "-o", "open", "true")
        self.assertEqual([path.name for path in (self.folder / "open").iterdir()], ["run-1"])

    def test_children(self):
        for value, processes in (("yes", 2), ("no", 1)):
            self.detect("run", "-f", "json", "-r", "out.json", "--children=" + value, "sh", "-c", "/bin/true; :")
            self.assertEqual(len(json.loads((self.folder / "out.json").read_text())["processes"]), processes)

    def test_environment(self):
        env = {"LD_PRELOAD": "", "DETECT_OPTIONS": "heap=no"}
        done = self.detect("run", "--on-deadlock=exit", "--exitcode=9", "--log-size=3", "sh", "-c",
                           'echo "$DETECT_OPTIONS"; echo "$LD_PRELOAD"', env=env)
        options, preload = done.stdout.decode().splitlines()
        pairs = options.split(":")
        self.assertEqual(pairs[0], "heap=no")
        for pair in ("online=no", "on_deadlock=exit", "exitcode=9", "log_size_mb=3"):
            self.assertIn(pair, pairs)
        self.assertTrue(preload.endswith("libdetect_preload.so"))

    def test_colon_in_the_log_folder(self):
        done = self.detect("run", "-o", "a:b\\c", "-f", "json", "-r", "out.json", "true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(list((self.folder / "a:b\\c").iterdir())), 1)

    def start(self, *args):
        return subprocess.Popen([DETECT, "run", *args], cwd=self.folder, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(self.temporary)})

    def test_signals_are_passed_on(self):
        # No one long wait: a shell sees a signal that comes just before one only after it.
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT):
            name = signal.Signals(number).name[3:]
            running = self.start("sh", "-c", 'trap "echo got; exit 3" %s; echo ready; while :; do sleep 0.1; done' % name)
            self.assertEqual(running.stdout.readline(), b"ready\n")
            running.send_signal(number)
            output, error = running.communicate(timeout=30)
            self.assertEqual((running.returncode, output), (3, b"got\n"), (name, error))

    def test_interrupt_of_the_terminal_ends_the_program_only(self):
        """Both get it, as from ^C: the program dies of it, the report comes all the same."""
        ours, theirs = os.openpty()
        running = subprocess.Popen(["setsid", "-c", DETECT, "run", "sh", "-c", "echo ready; exec sleep 60"],
                                   stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(running.stdout.readline(), b"ready\n")
        os.write(ours, b"\x03")
        _, error = running.communicate(timeout=30)
        os.close(ours)
        os.close(theirs)
        self.assertEqual(running.returncode, 130, error)
        self.assertIn(b"SUMMARY: libdetect:", error)

    def test_what_still_runs_is_said(self):
        os.mkfifo(self.folder / "up")
        os.mkfifo(self.folder / "end")
        done = self.detect("run", "sh", "-c",
                           "(echo x >up; read x <end) >/dev/null 2>&1 & read x <up; exit 0")
        (self.folder / "end").write_text("now\n")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"still runs", done.stderr)
        self.assertEqual(len(self.kept()), 1)


if __name__ == "__main__":
    unittest.main()
