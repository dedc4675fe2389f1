"""The program is unharmed whatever happens around it, and the shim says one line at most."""

import os
import random
import resource
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from detect_e2e import DETECT, PRELOAD, PROGRAMS

KILLS = int(os.environ.get("DETECT_KILLS", "20"))


def storm(case, folder=None, options="online=no", **keywords):
    """Status and the lines that the shim said."""
    where = f":log_dir={folder}" if folder else ""
    env = {**os.environ, "LD_PRELOAD": str(PRELOAD), "DETECT_OPTIONS": options + where, **keywords.pop("env", {})}
    done = subprocess.run([PROGRAMS / "storms", case], env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                          timeout=120, **keywords)
    return done.returncode, [line for line in done.stderr.decode(errors="replace").splitlines() if line], done.stdout


def report(folder):
    return subprocess.run([str(DETECT), "report", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Storms(unittest.TestCase):
    def unharmed(self, case, lines=0, **keywords):
        with self.subTest(case=case), tempfile.TemporaryDirectory() as folder:
            status, said, stdout = storm(case, folder, **keywords)
            self.assertEqual((status, stdout), (0, b""), said)
            self.assertLessEqual(len(said), lines, said)
            if not lines:
                self.assertEqual(report(folder).returncode, 0)

    def test_signals(self):
        self.unharmed("signal-storm")

    def test_forks(self):
        self.unharmed("fork-storm")

    def test_threads(self):
        self.unharmed("thread-storm")

    def test_cancellation(self):
        self.unharmed("cancellation-storm")

    def test_longjmp(self):
        self.unharmed("jump-over-a-lock")
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(storm("jump-out-of-handlers", folder), (0, [], b""))
            self.assertIn(b"unlock-not-locked", report(folder).stdout)

    def test_close_all(self):
        self.unharmed("close-all")

    def test_killed_at_random_moments(self):
        env = {**os.environ, "LD_PRELOAD": str(PRELOAD)}
        for _ in range(KILLS):
            with tempfile.TemporaryDirectory() as folder:
                env["DETECT_OPTIONS"] = f"online=no:log_dir={folder}"
                program = subprocess.Popen([PROGRAMS / "storms", "lock-storm"], env=env)
                time.sleep(random.random() * 0.05)
                program.kill()
                program.wait()
                if not list(Path(folder).glob("*.dtlog")):
                    continue  # killed before there was a log
                done = report(folder)
                # A log that was killed before its head was whole is said in one line.
                self.assertIn(done.returncode, (0, 2), done.stderr)
                if done.returncode == 2:
                    self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
                    self.assertRegex(done.stderr, b"killed before its log began|it is empty")


class Surroundings(unittest.TestCase):
    def unharmed(self, case, lines, **keywords):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            status, said, stdout = storm(case, folder, **keywords)
            self.assertEqual((status, stdout), (0, b""), said)
            self.assertLessEqual(len(said), lines, said)
            for line in said:
                self.assertTrue(line.startswith("libdetect: "), line)

    def test_chroot(self):
        self.unharmed("chroot", 1)

    def test_dropped_privileges(self):
        self.unharmed("drop-privileges", 1)

    def test_no_open(self):
        self.unharmed("forbid-open", 1)

    def test_little_address_space(self):
        for megabytes in (64, 128, 200, 300, 400, 600, 1000, 3000):
            limit = megabytes << 20
            with self.subTest(megabytes=megabytes):
                self.unharmed("work", 1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    def test_small_files_only(self):
        for limit in (0, 4096, 1 << 20):
            with self.subTest(limit=limit):
                self.unharmed("work", 1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))

    @unittest.skipUnless(os.getuid() == 0, "needs to mount a file system")
    def test_full_disk(self):
        with tempfile.TemporaryDirectory() as folder:
            for size in ("4k", "64k", "300k", "1m"):
                mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder],
                                         stderr=subprocess.DEVNULL).returncode == 0
                if not mounted:
                    self.skipTest("may not mount a file system")
                try:
                    with self.subTest(size=size):
                        status, said, _ = storm("work", folder)
                        self.assertEqual(status, 0, said)
                        self.assertLessEqual(len(said), 1, said)
                finally:
                    subprocess.run(["umount", folder], check=True)

    def test_folder_that_cannot_be(self):
        for folder in ("/proc/nowhere", "/dev/null", "/nonexistent/a/b"):
            with self.subTest(folder=folder):
                status, said, _ = storm("work", folder)
                self.assertEqual((status, len(said)), (0, 1), said)


if __name__ == "__main__":
    unittest.main()
