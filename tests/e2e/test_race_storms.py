"""Storms around the race runtime: the program is unharmed, nothing is taken for a race that is none, and a race is
found still. What happens is in programs/race_storms.c, each case of which ends with a race when it is asked to."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from detect_case import DETECT
from race_case import COMPILERS

PROGRAMS = pathlib.Path(__file__).parent / "programs"
# case: what may be said of it
CASES = {
    "fork": None, "race-in-child": None, "exec": None, "signals": None, "in-a-row": None,
    "at-once": "more threads than 255", "used-up": "more threads than 255|so many threads", "sparse": None, "places": None,
    "limit": None, "cancellation": None, "jumps": None, "libraries": None,
}
WITH_CLANG_TOO = ("fork", "signals", "cancellation", "jumps", "libraries")
STAGED = {("data-race", "raced")}
# What the shim wraps for the race runtime alone, and the cases above call (test_shim.py asks for all of them).
HOOKS = {"dlopen", "mremap", "pthread_setcanceltype", "execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe", "fexecve",
         "getrlimit", "getrlimit64", "prlimit", "prlimit64", "setrlimit", "setrlimit64"}


class Storms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="detect-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        for compiler in (None, *COMPILERS):
            cls.compile(compiler, "race_plugin.c", f"plugin-{compiler}.so", "-shared", "-fPIC")
            cls.compile(compiler, "race_storms.c", f"storms-{compiler}", "-ldl", "-pthread")

    @classmethod
    def compile(cls, compiler, source, target, *flags):
        """By `detect cc` with the compiler; None: bare."""
        command = [DETECT, "cc"] if compiler else [COMPILERS[0]]
        subprocess.run([*command, "-D_GNU_SOURCE", "-g", "-O1", "-w", PROGRAMS / source, "-o", cls.folder / target, *flags],
                       env={**os.environ, "CC": compiler or ""}, check=True, timeout=60)

    def program(self, compiler, case, stage=True):
        return [self.folder / f"storms-{compiler}", case, self.folder / f"plugin-{compiler}.so", *(["race"] if stage else [])]

    def run_watched(self, compiler, case, options="online=no", stage=True, env=None):
        """The run, what it said of itself, and (rule, variable) of each finding."""
        report = self.folder / f"{case}-{compiler}.json"
        done = subprocess.run([DETECT, "run", "--fail-on", "never", "-f", "json", "-r", report, "-o", self.folder / f"{case}-{compiler}",
                               "--", *self.program(compiler, case, stage)], env={**os.environ, "DETECT_OPTIONS": options, **(env or {})},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        findings = json.loads(report.read_text())["findings"] if report.exists() else []
        said = [line for line in done.stderr.decode().splitlines() if not re.search("the logs are in|^SUMMARY|sightings were over", line)]
        return done, said, {(f["rule"], f.get("memory", {}).get("name")) for f in findings}

    def unharmed(self, compiler, case):
        bare = subprocess.run(self.program(None, case), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual((bare.returncode, bare.stderr), (0, b""))
        done, said, found = self.run_watched(compiler, case)
        self.assertEqual((done.returncode, done.stdout), (bare.returncode, bare.stdout), said)
        self.assertEqual(found, STAGED)
        for line in said:
            self.assertRegex(line, CASES[case] or "nothing may be said")

    def test_more_threads_than_slots_is_said(self):
        _, said, _ = self.run_watched(COMPILERS[0], "at-once")
        self.assertEqual(len([line for line in said if "more threads than 255" in line]), 1)

    def test_most_races_of_more_threads_than_slots_are_found(self):
        found = 0
        for seed in range(10):
            _, _, races = self.run_watched(COMPILERS[0], "among-many", stage=False, env={"SEED": str(seed)})
            self.assertLessEqual(races, STAGED)
            found += len(races)
        self.assertGreaterEqual(found, 7)

    def test_no_memory_is_said_and_nothing_made_up(self):
        bare = subprocess.run(self.program(None, "no-memory", False), stdout=subprocess.PIPE, timeout=60)
        done, said, found = self.run_watched(COMPILERS[0], "no-memory", stage=False)
        self.assertEqual((done.returncode, done.stdout), (bare.returncode, bare.stdout), said)
        self.assertEqual(found, set())
        self.assertEqual(len([line for line in said if line.startswith("libdetect: data races are no longer")]), 1, said)

    def test_little_address_space_from_the_start(self):
        """A line for each process that can't be watched, and no crash."""
        import resource
        for megabytes in (100, 1000, 5000, 100000):
            with self.subTest(megabytes=megabytes):
                limit = megabytes << 20
                done = subprocess.run(self.program(COMPILERS[0], "leaf"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
                self.assertEqual((done.returncode, done.stdout), (0, b"leaf\n"), done.stderr)
                self.assertRegex(done.stderr.decode(), r"\Alibdetect: .*ulimit -v.*\n\Z")


def add_case(case, compiler):
    setattr(Storms, f"test_{case.replace('-', '_')}_{compiler}", lambda self: self.unharmed(compiler, case))


for _compiler in COMPILERS:
    for _case in CASES if _compiler == COMPILERS[0] else WITH_CLANG_TOO:
        add_case(_case, _compiler)


if __name__ == "__main__":
    unittest.main()
