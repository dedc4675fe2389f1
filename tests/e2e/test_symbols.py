"""Where names and lines come from: compilers, DWARF versions, separate debug files, no debug information."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DETECT = os.environ.get("DETECT_BIN", str(ROOT / "build/release/bin/detect"))
SOURCE = ROOT / "tests/e2e/programs/symbols.c"
COMPILERS = [compiler for compiler in ("gcc", "clang") if shutil.which(compiler)]


class Symbols(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="detect-symbols-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.program = self.folder / "program"

    def build(self, compiler, *flags):
        subprocess.run([compiler, *flags, "-pthread", str(SOURCE), "-o", str(self.program)], check=True)

    def finding(self, *logs):
        report = self.folder / "report.json"
        command = ["report", *logs] if logs else ["run", "--", str(self.program)]
        done = subprocess.run([DETECT, command[0], "-f", "json", "-r", str(report), *command[1:]], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(self.folder)})
        self.assertEqual(done.returncode, 66, done.stderr)
        (finding,) = json.loads(report.read_text())["findings"]
        return finding, done.stderr.decode()

    def assert_full(self, finding):
        self.assertEqual(sorted(lock["name"] for lock in finding["locks"]), ["count_lock (static in count)", "table[1][2].row.lock"])
        (want,) = [event for event in finding["events"]
                   if event["what"] == "acquire" and event["stack"][0]["function"] == "lock_row"]
        frames = [(frame["function"], os.path.basename(frame["file"] or ""), bool(frame["line"])) for frame in want["stack"]]
        self.assertEqual(frames[:2], [("lock_row", "symbols.c", True), ("count", "symbols.c", True)])
        self.assertTrue(want["stack"][0]["inlined"])
        self.assertEqual(want["stack"][0]["module"], "program")

    def test_compilers_and_versions(self):
        for compiler in COMPILERS:
            for flags in (("-g", "-O0"), ("-g", "-O2"), ("-gdwarf-4", "-O1"), ("-gdwarf-5", "-O1"),
                          ("-g", "-O1", "-no-pie", "-fno-pie")):
                with self.subTest(compiler=compiler, flags=flags):
                    self.build(compiler, *flags)
                    self.assert_full(self.finding()[0])

    def test_debug_file_beside_it(self):
        self.build("gcc", "-g", "-O1")
        debug = self.folder / ".debug"
        debug.mkdir()
        subprocess.run(["objcopy", "--only-keep-debug", self.program, debug / "program.debug"], check=True)
        subprocess.run(["objcopy", "--strip-all", "--add-gnu-debuglink=" + str(debug / "program.debug"), self.program], check=True)
        self.assert_full(self.finding()[0])

    def test_debug_file_by_build_id(self):
        self.build("gcc", "-g", "-O1", "-Wl,--build-id=0x1122334455667788aabbccdd00112233")
        store = pathlib.Path("/usr/lib/debug/.build-id/11")
        if not os.access("/usr/lib/debug" if os.path.isdir("/usr/lib/debug") else "/usr/lib", os.W_OK):
            self.skipTest("/usr/lib/debug can't be written")
        store.mkdir(parents=True, exist_ok=True)
        kept = store / "22334455667788aabbccdd00112233.debug"
        self.addCleanup(kept.unlink)
        subprocess.run(["objcopy", "--only-keep-debug", self.program, kept], check=True)
        subprocess.run(["strip", self.program], check=True)
        self.assert_full(self.finding()[0])

    def test_no_debug_information(self):
        self.build("gcc", "-O0")
        finding, _ = self.finding()
        self.assertIn("table+0x", "".join(lock["name"] for lock in finding["locks"]))
        functions = [frame["function"] for event in finding["events"] for frame in event["stack"]]
        self.assertIn("count", functions)
        subprocess.run(["strip", self.program], check=True)
        finding, _ = self.finding()
        frame = finding["events"][0]["stack"][0]
        self.assertEqual((frame["function"], frame["module"]), (None, "program"))
        self.assertTrue(frame["offset"].startswith("0x"))

    def test_built_anew_since(self):
        self.build("gcc", "-g", "-O0")
        logs = self.folder / "logs"
        subprocess.run([DETECT, "run", "-o", str(logs), "--", str(self.program)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assert_full(self.finding(str(logs))[0])
        self.build("gcc", "-g", "-O2", "-DOTHER")
        finding, _ = self.finding(str(logs))
        self.assertEqual(finding["events"][0]["stack"][0]["function"], None)
        text = subprocess.run([DETECT, "report", str(logs)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
        self.assertIn("built anew", text)
        self.program.unlink()
        text = subprocess.run([DETECT, "report", str(logs)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
        self.assertIn("No such file", text)
        self.program.write_bytes(b"\x7fELF" + b"\xff" * 4000)
        self.assertEqual(subprocess.run([DETECT, "report", str(logs)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode, 66)


if __name__ == "__main__":
    unittest.main()
