"""What `cmake --install` leaves can be used by a program of somebody else's."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BUILD = os.environ.get("DETECT_BUILD", str(pathlib.Path(__file__).resolve().parents[2] / "build/release"))

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
        # The archive was configured for another prefix than this one.
        flags = self.output("pkg-config", "--define-variable=prefix=" + str(self.prefix), "--cflags", "--libs", "libdetect",
                            PKG_CONFIG_PATH=str(package.parent)).split()
        self.output(os.environ.get("CC", "cc"), "user.c", "-o", "user-pc", *flags)
        self.assertEqual(self.output("./user-pc"), "lock-order-cycle\n")

    def test_cmake_package(self):
        self.output("cmake", "-S", ".", "-B", "build", "-DCMAKE_PREFIX_PATH=" + str(self.prefix))
        self.output("cmake", "--build", "build")
        self.assertEqual(self.output("build/user"), "lock-order-cycle\n")


if __name__ == "__main__":
    unittest.main()
