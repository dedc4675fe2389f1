"""What `cmake --install` leaves can be used by a program of somebody else's."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BUILD = os.environ.get("DETECT_BUILD", str(pathlib.Path(__file__).resolve().parents[2] / "build/release"))

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "samples"

PROGRAM = """
#include <detect/check.h>
#include <detect/log_read.h>
#include <stdio.h>
int main(void) {
	struct dt_facts *facts;
	if (dt_facts_new(&facts, &dt_alloc_libc) != DT_OK) return 1;
	printf("%s\\n", dt_rule_find("lock-order-cycle")->name);
	dt_facts_free(facts);
	return 0;
}
"""
PROJECT = """
cmake_minimum_required(VERSION 3.22)
project(user C)
find_package(detect REQUIRED)
add_executable(user user.c)
target_link_libraries(user PRIVATE detect::engine)
if(NOT EXISTS "${DETECT_PRELOAD_LIBRARY}" OR NOT EXISTS "${DETECT_COMMAND}")
	message(FATAL_ERROR "the package does not know where the command and the shim are")
endif()
"""

TESTED = """
cmake_minimum_required(VERSION 3.22)
project(tested C)
find_package(detect REQUIRED)
find_package(Threads REQUIRED)
enable_testing()
foreach(name bug fix)
	add_executable(${name} ${SAMPLES}/bank-transfer/${name}.c)
	target_link_libraries(${name} Threads::Threads)
endforeach()
detect_add_test(NAME fix COMMAND fix)
detect_add_test(NAME bug COMMAND bug OPTIONS -q REPORT json:bug.json)
detect_add_test(NAME bug-known COMMAND bug BASELINE known.json)
detect_add_test(NAME bug-suppressed COMMAND bug SUPPRESSIONS known.supp)
detect_add_test(NAME bug-errors-only COMMAND bug FAIL_ON error)
detect_add_test(NAME there COMMAND sh -c "test -f marker && test \\"$1\\" = 'two words'" sh "two words" WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/there)
detect_add_test(NAME status COMMAND sh -c "exit 3")
set_tests_properties(bug status PROPERTIES WILL_FAIL ON)
set_tests_properties(bug-known bug-suppressed PROPERTIES DEPENDS bug)
add_test(NAME bare COMMAND bug)
"""


RACY = """
#include <pthread.h>
#include <string.h>
static char to[64];
static void *copy(void *from) { return strcpy(to, from); }
int main(void)
{
	pthread_t one;
	pthread_create(&one, NULL, copy, "what one thread copies");
	copy("what the other copies");
	return pthread_join(one, NULL);
}
"""


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="detect-install-"))
        cls.prefix = cls.folder / "prefix"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", str(cls.prefix)], check=True, stdout=subprocess.DEVNULL)
        (cls.folder / "user.c").write_text(PROGRAM)
        (cls.folder / "CMakeLists.txt").write_text(PROJECT)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def output(self, *command, **environment):
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=self.folder,
                              env={**os.environ, **environment}).stdout.decode()

    def test_the_command_finds_its_shim(self):
        environment = {key: value for key, value in os.environ.items() if key not in ("DETECT_PRELOAD", "DETECT_BIN")}
        done = subprocess.run([self.prefix / "bin/detect", "run", "--", "true"], env=environment, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"SUMMARY: libdetect: 0 errors", done.stderr)

    def test_man_pages(self):
        pages = {page.name for page in (self.prefix / "share/man/man1").iterdir()}
        self.assertLessEqual({"detect.1", "detect-run.1", "detect-doctor.1"}, pages)

    def test_pkg_config(self):
        (package,) = self.prefix.glob("lib*/**/libdetect.pc")
        flags = self.output("pkg-config", "--cflags", "--libs", "libdetect",
                            PKG_CONFIG_PATH=str(package.parent)).split()
        self.output(os.environ.get("CC", "cc"), "user.c", "-o", "user-pc", *flags)
        self.assertEqual(self.output("./user-pc"), "lock-order-cycle\n")

    def test_cmake_package(self):
        self.output("cmake", "-S", ".", "-B", "build", "-DCMAKE_PREFIX_PATH=" + str(self.prefix))
        self.output("cmake", "--build", "build")
        self.assertEqual(self.output("build/user"), "lock-order-cycle\n")

    def test_race_target(self):
        """Instrumented, linked with the shim, and with libc's calls taken for the program's."""
        racy = self.folder / "racy"
        racy.mkdir()
        (racy / "racy.c").write_text(RACY)
        (racy / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.22)\nproject(racy LANGUAGES C)\nfind_package(detect REQUIRED)\n"
                                             "find_package(Threads REQUIRED)\nadd_executable(racy racy.c)\n"
                                             "target_link_libraries(racy PRIVATE detect::race Threads::Threads)\n")
        self.output("cmake", "-S", "racy", "-B", "racy/build", "-DCMAKE_PREFIX_PATH=" + str(self.prefix))
        self.output("cmake", "--build", "racy/build")
        done = subprocess.run([self.prefix / "bin/detect", "run", "--", racy / "build/racy"], stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertIn(b"data race", done.stderr.replace(b"-", b" "))

    def ctest(self, build, *options):
        done = subprocess.run(["ctest", "--test-dir", build, "--no-tests=error", *options], cwd=self.folder / "tested",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def test_add_test(self):
        project = self.folder / "tested"
        (project / "there").mkdir(parents=True)
        (project / "there/marker").touch()
        (project / "CMakeLists.txt").write_text(TESTED)
        (project / "known.json").write_text("{}")
        (project / "known.supp").write_text("deadlock:transfer\n")
        self.output("cmake", "-S", "tested", "-B", "tested/build", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_PREFIX_PATH=" + str(self.prefix),
                    "-DSAMPLES=" + str(SAMPLES))
        self.output("cmake", "--build", "tested/build")
        status, said = self.ctest("build", "-R", "^bug$")
        self.assertEqual(status, 0, said)
        shutil.copy(project / "build/bug.json", project / "known.json")
        status, said = self.ctest("build", "-L", "detect")
        self.assertEqual(status, 0, said)
        self.assertIn("100% tests passed, 0 tests failed out of 7", said)
        # With nothing known, the same test fails: it is the baseline that lets it pass.
        report = json.loads((project / "known.json").read_text())
        self.assertEqual([finding["rule"] for finding in report["findings"]], ["lock-order-cycle"])
        report["findings"] = []
        (project / "known.json").write_text(json.dumps(report))
        status, said = self.ctest("build", "-R", "^bug-known$")
        self.assertNotEqual(status, 0, said)

        # All tests of a project that knows nothing of it.
        done = subprocess.run([self.prefix / "bin/detect", "run", "-f", "json", "-r", "all.json", "--", "ctest", "--test-dir", "build", "-R", "^bare$"],
                              cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertIn(b"100% tests passed", done.stdout)
        found = json.loads((project / "all.json").read_text())
        self.assertEqual([finding["rule"] for finding in found["findings"]], ["lock-order-cycle"])
        self.assertLessEqual({"ctest", "bug"}, {os.path.basename(process["argv"][0]) for process in found["processes"]})

    def test_add_test_is_used_wrongly(self):
        wrong = self.folder / "wrong"
        wrong.mkdir()
        (wrong / "CMakeLists.txt").write_text(TESTED.split("foreach")[0] + "detect_add_test(NAME x COMAND y)\n")
        done = subprocess.run(["cmake", "-S", wrong, "-B", wrong / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("detect_add_test: NAME and COMMAND are needed", done.stderr)

    def test_completions(self):
        for name in ("bash-completion/completions/detect", "zsh/vendor-completions/_detect", "fish/vendor_completions.d/detect.fish"):
            self.assertIn("detect", (self.prefix / "share" / name).read_text())


if __name__ == "__main__":
    unittest.main()
