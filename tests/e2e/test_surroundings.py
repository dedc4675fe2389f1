"""What a program, or who starts it, may do around the shim: it runs on as without it, and is observed."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from detect_e2e import DETECT, SOURCES, ShimCase, brief, cycle, run_detect

FIRST_SECOND = cycle("first", "second")


class Threads(ShimCase):
    def test_handles_that_vanish(self):
        self.assert_clean("surroundings", "vanishing")
        self.assert_finds("surroundings", "vanishing-then-backwards", FIRST_SECOND)

    def test_the_smallest_stacks(self):
        self.assert_clean("surroundings", "small-stacks")
        self.assert_finds("surroundings", "small-stacks-inverted", FIRST_SECOND)

    def test_a_pending_cancel(self):
        self.assert_clean("surroundings", "pending-cancel")

    def test_recursive_mutexes_in_children(self):
        self.assert_clean("surroundings", "again-in-child")
        self.assert_clean("surroundings", "again-in-child", options=("--children=no",))

    def test_timers(self):
        self.assert_clean("surroundings", "timer-after")
        self.assert_finds("surroundings", "timer-beside", FIRST_SECOND)
        self.assert_finds("surroundings", "timer-beside-the-next", FIRST_SECOND)
        self.assert_finds("surroundings", "timers-of-two-threads", FIRST_SECOND)


class Sanitizers(ShimCase):
    """Runtimes that want to be the first library, that allocate and lock before the C library is initialised."""

    def built(self, compiler, sanitizer):
        program = self.folder / f"{compiler}-{sanitizer}"
        command = [compiler, "-g", "-O1", "-pthread", "-D_GNU_SOURCE", f"-fsanitize={sanitizer}",
                   str(SOURCES / "surroundings.c"), "-o", str(program)]
        return program if subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0 else None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="detect-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_each(self):
        tried = 0
        for compiler in filter(shutil.which, ("gcc", "clang")):
            for sanitizer in ("address", "undefined", "leak"):
                program = self.built(compiler, sanitizer)
                if not program:
                    continue
                tried += 1
                with self.subTest(compiler=compiler, sanitizer=sanitizer):
                    report = run_detect(program, "inverted").report
                    self.assertEqual([brief(finding) for finding in report["findings"]], [FIRST_SECOND])
                    self.assertEqual(run_detect(program, "ordered").report["findings"], [])
        if not tried:
            self.skipTest("no compiler with sanitizers")


STD_THREADS = """
#include <atomic>
#include <mutex>
#include <thread>
static std::mutex first, second;
static std::atomic<int> turn;
static void nest(std::mutex &held, std::mutex &wanted, int when)
{
	while (turn != when)
		std::this_thread::yield();
	held.lock(), wanted.lock(), wanted.unlock(), held.unlock();
	turn++;
}
int main()
{
	std::thread one([] { nest(first, second, 0); });
	std::thread two([] { nest(second, first, 1); });
	one.join(), two.join();
}
"""


class CppThreads(unittest.TestCase):
    def test_made_by_std_thread(self):
        """The place is the program's, not one within the C++ library."""
        if not shutil.which("g++"):
            self.skipTest("no C++ compiler")
        with tempfile.TemporaryDirectory(prefix="detect-e2e-") as folder:
            source, program = pathlib.Path(folder) / "threads.cc", pathlib.Path(folder) / "threads"
            source.write_text(STD_THREADS)
            subprocess.run(["g++", "-g", "-pthread", source, "-o", program], check=True)
            done = subprocess.run([DETECT, "run", "--", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=60, env={**os.environ, "TMPDIR": folder})
        self.assertEqual(done.returncode, 66, done.stderr)
        for line in (16, 17):
            self.assertIn(f"created by the main thread at threads.cc:{line} in main", done.stderr.decode())


if __name__ == "__main__":
    unittest.main()
