"""The recipes of docs/ci: their shell lines are taken out and run, in a small project, with the package installed.

`apt-get` is stood in for: it unpacks a .deb that it is given into a folder of the test and leaves the system as it is.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPES = ROOT / "docs/ci"
BUILD = os.environ["DETECT_BUILD"]
EXPRESSION = re.compile(r"\$\{\{ *([\w.]+) *\}\}")

CMAKE = """
cmake_minimum_required(VERSION 3.22)
project(bank C)
find_package(Threads REQUIRED)
enable_testing()
foreach(name bank fair)
	add_executable(${name} ${name}.c)
	target_link_libraries(${name} Threads::Threads)
	add_test(NAME ${name} COMMAND ${name})
endforeach()
"""
MESON = """
project('bank', 'c', default_options: ['buildtype=debug'])
threads = dependency('threads')
test('bank', executable('bank', 'bank.c', dependencies: threads))
test('fair', executable('fair', 'fair.c', dependencies: threads))
"""
PYTHON = """
import ctypes

def test_bank():
    bank = ctypes.CDLL("./libbank.so")
    assert bank.main() == 0
"""
NODE = """
const test = require('node:test'), fs = require('node:fs');
test('reads in other threads', async () => { await Promise.all([1, 2, 3].map(() => fs.promises.readFile('test.js'))); });
"""
JAVA = """
class Bank {
	public static void main(String[] args) throws Exception {
		Thread teller = new Thread(() -> System.out.println("open"));
		teller.start();
		teller.join();
	}
}
"""
APT_GET = """#!/bin/sh
for argument; do
	case $argument in
	*.deb) dpkg-deb -x "$argument" "$DETECT_ROOT" || exit ;;
	esac
done
"""
NOTHING_KNOWN = '{"format": "libdetect-findings", "version": 1, "findings": []}'


FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="detect-ci-"))


def setUpModule():
    unittest.addModuleCleanup(shutil.rmtree, FOLDER)
    done = subprocess.run(["cpack", "-G", "DEB", "--config", f"{BUILD}/CPackConfig.cmake", "-B", FOLDER / "package"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


class Recipe(unittest.TestCase):
    def setUp(self):
        (self.package,) = (FOLDER / "package").glob("*.deb")
        self.here = pathlib.Path(tempfile.mkdtemp(dir=FOLDER))
        self.project = self.here / "project"
        (self.project / ".detect").mkdir(parents=True)
        (self.here / "bin").mkdir()
        (self.here / "bin/apt-get").write_text(APT_GET)
        (self.here / "bin/apt-get").chmod(0o755)
        lesson = ROOT / "samples/bank-transfer"
        for name, content in (("CMakeLists.txt", CMAKE), ("meson.build", MESON), ("test_bank.py", PYTHON), ("test.js", NODE),
                              ("Bank.java", JAVA), (".detect/known.json", NOTHING_KNOWN)):
            (self.project / name).write_text(content)
        shutil.copy(ROOT / "samples/lesson.h", self.here)
        shutil.copy(lesson / "bug.c", self.project / "bank.c")
        shutil.copy(lesson / "fix.c", self.project / "fair.c")
        subprocess.run(["git", "init", "-q", self.project], check=True)
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("DETECT_", "GITHUB_", "CI_", "LD_"))}
        self.environment.update(
            PATH=f"{self.here}/bin:{self.here}/root/usr/bin:{os.environ['PATH']}", DETECT_ROOT=f"{self.here}/root", TMPDIR=str(self.here),
            DETECT_DEB=f"file://{self.package}")

    def shell(self, lines, **environment):
        done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", lines.replace("/tmp/", f"{self.here}/")], cwd=self.project,
                              env={**self.environment, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120)
        return done

    def assert_ends(self, status, done):
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)

    def know_all(self):
        """Make the baseline as the recipes say."""
        self.assert_ends(0, self.shell("detect run --exitcode=0 -f json -r .detect/known.json -- ctest --test-dir build"))


class GitHub(Recipe):
    def setUp(self):
        super().setUp()
        self.workflow = yaml.safe_load((RECIPES / "github-actions.yml").read_text())
        self.environment.update(GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(self.project), GITHUB_STEP_SUMMARY=str(self.here / "summary.md"))

    def steps(self, job):
        return [step for step in self.workflow["jobs"][job]["steps"] if "run" in step]

    def run_job(self, job, until_status=0, **environment):
        """All steps must end with 0 but the last, with `until_status`; gives what the last said."""
        steps = self.steps(job)
        for step in steps:
            done = self.shell(step["run"], **environment)
            self.assert_ends(until_status if step is steps[-1] else 0, done)
        return done

    def shard(self, number):
        return {"SHARD": str(number), "SHARDS": str(self.workflow["jobs"]["test"]["env"]["SHARDS"])}

    def uploads(self, number):
        for step in self.workflow["jobs"]["test"]["steps"]:
            for key in ("sarif_file", "path"):
                for name in step.get("with", {}).get(key, "").split("\n"):
                    if name:
                        yield EXPRESSION.sub(str(number), name)

    def assert_uploads(self, number):
        uploads = list(self.uploads(number))
        self.assertEqual(len(uploads), 3)
        for name in uploads:
            self.assertTrue((self.project / name).exists(), name)

    def test_what_is_found_and_what_is_known(self):
        shards = self.workflow["jobs"]["test"]["strategy"]["matrix"]["shard"]
        self.assertEqual(len(shards), self.workflow["jobs"]["test"]["env"]["SHARDS"])

        self.run_job("test", 0, **self.shard(2))
        self.assertNotIn("lock-order-cycle", (self.here / "summary.md").read_text())
        said = self.run_job("test", 66, **self.shard(1))
        self.assertRegex(said.stdout + said.stderr, r"(?m)^::warning file=bank\.c,line=\d+.*lock-order-cycle")
        self.assertIn("lock-order-cycle", (self.here / "summary.md").read_text())
        sarif = json.loads((self.project / "locks-1.sarif").read_text())
        self.assertEqual([result["ruleId"] for result in sarif["runs"][0]["results"]], ["lock-order-cycle"])

        for number in shards:
            self.assert_uploads(number)
            # As upload-artifact and download-artifact leave them.
            for name in (f"locks-{number}", f"locks-{number}.html"):
                (self.project / f"shards/locks-{number}").mkdir(parents=True, exist_ok=True)
                shutil.move(self.project / name, self.project / f"shards/locks-{number}/{name}")
        said = self.run_job("together", 66)
        self.assertIn("lock-order-cycle", said.stdout)

        self.know_all()
        (self.project / "facts.db").unlink()
        self.run_job("test", 0, **self.shard(1))
        self.run_job("together", 0)


class GitLab(Recipe):
    def setUp(self):
        super().setUp()
        self.recipe = yaml.safe_load((RECIPES / "gitlab-ci.yml").read_text())
        self.environment.update(GITLAB_CI="true", CI_PROJECT_DIR=str(self.project))

    def run_job(self, job, **environment):
        """GitLab runs before_script and script as one, each entry until one fails."""
        return self.shell("\n".join([*self.recipe["default"]["before_script"], *self.recipe[job]["script"]]), **environment)

    def node(self, index):
        return {"CI_NODE_INDEX": str(index), "CI_NODE_TOTAL": str(self.recipe["locks"]["parallel"])}

    def test_locks(self):
        self.assert_ends(66, self.run_job("locks", **self.node(1)))
        self.assert_ends(0, self.run_job("locks", **self.node(2)))
        for name in (*self.recipe["locks"]["artifacts"]["paths"], *self.recipe["locks"]["artifacts"]["reports"].values()):
            self.assertTrue(list(self.project.glob(name)), name)
        (entry,) = json.loads((self.project / "locks-1.json").read_text())
        self.assertEqual((entry["check_name"], entry["location"]["path"]), ("lock-order-cycle", "bank.c"))
        self.assertEqual(json.loads((self.project / "locks-2.json").read_text()), [])

        self.assert_ends(66, self.run_job("locks-together"))
        self.know_all()
        self.assert_ends(0, self.run_job("locks-together"))
        self.assertTrue((self.project / self.recipe["locks-together"]["artifacts"]["reports"]["codequality"]).exists())


class Readme(Recipe):
    def test_each_block(self):
        self.assert_ends(0, self.shell('apt-get install "$PACKAGE"\ncmake -S . -B build -DCMAKE_BUILD_TYPE=Debug\ncmake --build build\n'
                                       "cc -g -shared -fPIC -pthread bank.c -o libbank.so", PACKAGE=str(self.package)))
        # The tests' python3 may be another one than the system's, which has pytest.
        self.environment["PATH"] = self.environment["PATH"].replace(f"{self.here}/bin:", f"{self.here}/bin:/usr/bin:")
        blocks = re.findall(r"^```sh(?: ends=(\d+))?\n(.*?)^```$", (RECIPES / "README.md").read_text(), re.M | re.S)
        self.assertGreater(len(blocks), 8)
        for status, lines in blocks:
            with self.subTest(lines=lines):
                self.assert_ends(int(status or 0), self.shell(lines))


if __name__ == "__main__":
    unittest.main()
