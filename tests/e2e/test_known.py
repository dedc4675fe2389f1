"""What is known already: suppressions of three tools, generated ones, baselines, detect diff."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from detect_case import ROOT, DetectCase
from dtlog import Log, inversion, many_findings

SAMPLES = pathlib.Path(os.environ.get("DETECT_SAMPLES", ROOT / "build/dev/samples"))
BUG = SAMPLES / "bank-transfer-bug"


class Suppressions(DetectCase):
    def setUp(self):
        super().setUp()
        self.detect("run", "-o", "logs", "-r", "/dev/null", "--", BUG)

    def suppressed(self, text, *more):
        self.write("supp", text)
        report = self.json_report("--suppressions=supp", *more, "logs")
        return report["summary"]["suppressed"], len(report["findings"])

    @unittest.skipUnless(shutil.which("valgrind"), "needs valgrind")
    def test_what_helgrind_generates_serves_verbatim(self):
        """The bug deadlocks only under a schedule that Valgrind's never gives: it ends, and is seen."""
        done = subprocess.run(["valgrind", "--tool=helgrind", "--gen-suppressions=all", BUG], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        blocks = re.findall(r"^\{.*?^\}\n", done.stderr.decode(), re.M | re.S)
        orders = [block for block in blocks if "Helgrind:LockOrder" in block]
        self.assertTrue(orders, done.stderr.decode())
        self.assertEqual(self.suppressed("".join(blocks)), (1, 0))
        self.assertEqual(self.suppressed("".join(orders).replace("transfer", "retransfer")), (0, 1))

    @unittest.skipUnless(pathlib.Path("/usr/libexec/valgrind/default.supp").exists(), "needs valgrind")
    def test_valgrinds_own_file_is_taken(self):
        done = self.detect("report", "--suppressions=/usr/libexec/valgrind/default.supp", "logs")
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (66, 0), done.stderr)

    def test_thread_sanitizers_lines(self):
        for line, covered in (("deadlock:transfer", 1), ("deadlock:^transfer$", 1), ("deadlock:bug.c", 1),
                              ("deadlock:^bug.c", 0), ("race:transfer", 0), ("mutex:transfer", 0),
                              ("called_from_lib:bank-transfer-bug", 1), ("called_from_lib:libc.so", 0)):
            with self.subTest(line=line):
                self.assertEqual(self.suppressed(f"# why\n{line}\n"), (covered, 1 - covered))

    def test_generated_ones_cover_the_finding_and_no_other(self):
        for option in ("--gen-suppressions=supp", "--gen-suppressions=all", "--gen-suppressions"):
            with self.subTest(option=option):
                done = self.detect("report", option, "logs")
                text = done.stdout.decode()
                if option.endswith("supp"):
                    text = (self.folder / "supp").read_text()
                (block,) = re.findall(r"^\{.*?^\}\n", text, re.M | re.S)
                self.assertIn("edge: ^", block)
                self.assertIn("fun:transfer", block)
                self.assertEqual(self.suppressed(block), (1, 0))
                self.assertEqual(self.suppressed(block.replace("edge: ^accounts", "edge: ^counters")), (0, 1))
                self.assertEqual(self.suppressed(block.replace("fun:transfer", "fun:other")), (0, 1))
        self.assertNotIn(b"\n{", self.detect("report", "--gen-suppressions=no", "logs").stdout)

    def test_generated_ones_of_code_without_symbols(self):
        self.write("bank.dtlog", inversion().bytes())
        self.write("hostile.dtlog", inversion(program=b"/usr/bin/a\nb {*\x1b[31m}", log=Log(pid=72)).bytes())
        for log in ("bank.dtlog", "hostile.dtlog"):
            self.detect("report", "--gen-suppressions=supp", log)
            report = self.json_report("--suppressions=supp", log)
            self.assertEqual((report["summary"]["suppressed"], report["findings"]), (1, []), log)

    def test_document_formats_stay_whole(self):
        done = self.detect("report", "-f", "json", "--gen-suppressions", "logs")
        json.loads(done.stdout)
        self.assertIn(b"rule: lock-order-cycle", done.stderr)

    def test_unused_ones_are_said(self):
        self.write("supp", "deadlock:nowhere\n{\n x\n Helgrind:LockOrder\n fun:nothing\n}\ndeadlock:transfer\n")
        out = self.detect("report", "-v", "--suppressions=supp", "logs").stdout.decode()
        self.assertIn("suppression never used: supp:1: deadlock:nowhere", out)
        self.assertIn("suppression never used: supp:2: x", out)
        self.assertIn("suppression used: supp:7: deadlock:transfer, 1 finding", out)


class Baselines(DetectCase):
    def setUp(self):
        super().setUp()
        self.write("old.dtlog", inversion(program=b"/usr/bin/bank").bytes())
        self.write("new.dtlog", inversion(program=b"/usr/bin/shop", log=Log(pid=72)).bytes())
        for report, logs in (("old", ["old.dtlog"]), ("both", ["old.dtlog", "new.dtlog"]), ("new", ["new.dtlog"])):
            self.detect("report", "-f", "json", "-r", f"{report}.json", *logs)

    def test_new_known_gone(self):
        report = self.json_report("--baseline=old.json", "old.dtlog", "new.dtlog")
        self.assertEqual([report["summary"][key] for key in ("warning", "known", "gone")], [1, 1, 0])
        report = self.json_report("--baseline=both.json", "new.dtlog", status=0)
        self.assertEqual([report["summary"][key] for key in ("warning", "known", "gone")], [0, 1, 1])
        (gone,) = report["gone"]
        self.assertEqual(gone["fingerprint"], json.loads((self.folder / "old.json").read_text())["findings"][0]["fingerprint"])
        text = self.detect("report", "-v", "--baseline=both.json", "new.dtlog").stdout.decode()
        self.assertRegex(text, r"Gone: .* \[lock-order-cycle\]")
        self.assertIn("1 known, 1 gone", text)

    def test_suppressed_is_not_gone(self):
        self.write("supp", "*:bank\n")
        report = self.json_report("--baseline=old.json", "--suppressions=supp", "old.dtlog", status=0)
        self.assertEqual([report["summary"][key] for key in ("suppressed", "known", "gone")], [1, 0, 0])

    def test_sorted_and_indented_baselines(self):
        report = json.loads((self.folder / "old.json").read_text())
        self.write("sorted.json", json.dumps(report, sort_keys=True))
        self.assertEqual(self.json_report("--baseline=sorted.json", "old.dtlog")["summary"]["known"], 1)

    def test_diff(self):
        for old, new, status, counts in (("old", "both", 66, "1 new, 1 known, 0 gone"), ("both", "new", 0, "0 new, 1 known, 1 gone"),
                                         ("old", "new", 66, "1 new, 0 known, 1 gone"), ("old", "old", 0, "0 new, 1 known, 0 gone")):
            with self.subTest(old=old, new=new):
                done = self.detect("diff", f"{old}.json", f"{new}.json")
                text = done.stdout.decode()
                self.assertEqual(done.returncode, status)
                self.assertEqual(text.splitlines()[-1], f"SUMMARY: libdetect: {counts}")
                self.assertEqual((text.count("+ warning: "), text.count("- warning: ")), (counts[0] == "1", counts[-6] == "1"))
                summary = json.loads(self.detect("diff", "-f", "json", f"{old}.json", f"{new}.json").stdout)["summary"]
                self.assertEqual("{new} new, {known} known, {gone} gone".format(**summary), counts)
        self.assertEqual(self.detect("diff", "--fail-on=error", "old.json", "new.json").returncode, 0)
        self.assertEqual(self.detect("diff", "--exitcode=3", "old.json", "new.json").returncode, 3)

    def test_wrong_diffs(self):
        self.assert_line(self.detect("diff", "old.json"), 2, "which two reports")
        self.assert_line(self.detect("diff", "old.json", "nowhere.json"), 2, "nowhere.json")
        for content in (b"", b"{", b"[1]", b'{"findings": 1}', b'{"findings": [{"fingerprint": "a"} x', b"{}trailing"):
            self.write("bad.json", content)
            self.assert_line(self.detect("diff", "old.json", "bad.json"), 2, "bad.json")

    def test_many(self):
        self.write("many.dtlog", many_findings(5000).bytes())
        self.detect("report", "-f", "json", "-r", "many.json", "many.dtlog")
        done = self.detect("diff", "many.json", "many.json")
        self.assertEqual(done.stdout, b"SUMMARY: libdetect: 0 new, 5000 known, 0 gone\n")
        done = self.detect("diff", "old.json", "many.json")
        self.assertTrue(done.stdout.endswith(b"5000 new, 0 known, 1 gone\n"))


class Fingerprints(DetectCase):
    """The same bug has the same fingerprint whatever was edited around it and however it was compiled."""

    def fingerprint(self, source, *flags, folder="a"):
        build = self.folder / folder
        build.mkdir(exist_ok=True)
        (build / "bank.c").write_text(source.replace("../lesson.h", "lesson.h"))
        subprocess.run([os.environ.get("CC", "cc"), "-g", *flags, f"-I{ROOT}/samples", "-o", "bank", "bank.c", "-pthread"], cwd=build, check=True)
        done = self.detect("run", "-f", "json", "-r", "report.json", "--", build / "bank")
        findings = json.loads((self.folder / "report.json").read_text())["findings"]
        self.assertEqual(len(findings), 1, done.stderr)
        return findings[0]["fingerprint"]

    def test_stable(self):
        source = (ROOT / "samples/bank-transfer/bug.c").read_text()
        first = self.fingerprint(source, "-O0")
        self.assertEqual(self.fingerprint(source, "-O0"), first, "another run")
        self.assertEqual(self.fingerprint(source, "-O2"), first, "optimised")
        self.assertEqual(self.fingerprint(source, "-O3", "-no-pie"), first, "no ASLR")
        self.assertEqual(self.fingerprint("int unrelated;\n\n\n" + source, "-O1", folder="elsewhere"), first,
                         "other lines and folder")
        self.assertNotEqual(self.fingerprint(source.replace("transfer", "move"), "-O0"), first, "another function")


if __name__ == "__main__":
    unittest.main()
