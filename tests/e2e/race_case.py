"""What the race tests share: programs in a few lines, compiled by `detect cc` and run under `detect run`."""

import json
import os
import pathlib
import re
import shutil
import subprocess

from detect_case import DETECT, DetectCase

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


def version(compiler):
    return subprocess.run([compiler, "-dumpversion"], stdout=subprocess.PIPE, text=True).stdout.split(".")[0].strip()


def other_versions():
    """What else is installed of the two, as Debian names them: clang-16, gcc-11."""
    known = {(name, version(name)) for name in COMPILERS}
    found = {path.name for folder in os.get_exec_path() for path in pathlib.Path(folder).glob("*-*")
             if re.fullmatch(r"(gcc|clang)-\d+", path.name)}
    return sorted(name for name in found if tuple(name.split("-")) not in known)


ALL_COMPILERS = COMPILERS + other_versions()

HEAD = """
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>
#include <sched.h>
#include <detect/annotate.h>
"""
HEAD += (pathlib.Path(__file__).parent / "programs/unseen.h").read_text() + """
static void run(void *(*a)(void *), void *(*b)(void *))
{
	pthread_t t[2];
	pthread_create(&t[0], NULL, a, NULL);
	pthread_create(&t[1], NULL, b, NULL);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
}
"""


class RaceCase(DetectCase):
    def build(self, name, text, compiler="gcc", command="cc", flags=()):
        suffix = ".c" if command == "cc" else ".cc"
        source = self.write(name + suffix, text)
        program = self.folder / f"{name}-{compiler}"
        variable = {"cc": "CC", "c++": "CXX"}[command]
        driver = compiler if command == "cc" else compiler.replace("gcc", "g++").replace("clang", "clang++")
        include = os.path.join(os.path.dirname(__file__), "../../libdetect/include")
        done = self.detect(command, "-g", "-O1", "-I", include, *flags, source, "-o", program, env={variable: driver})
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return program

    def findings(self, program, options="", status=None, arguments=()):
        report = self.folder / "report.json"
        done = self.detect("run", "-f", "json", "-r", report, "--", program, *arguments,
                           env={"DETECT_OPTIONS": options} if options else None)
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr.decode())
        data = json.loads(report.read_text())
        races = [f for f in data["findings"] if f["rule"] in ("data-race", "predicted-race", "use-after-free-race")]
        return done, races
