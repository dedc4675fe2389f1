"""detect stats: counts that are known, waits that are exact, figures of a process that runs or was killed."""

import json
import os
import subprocess
import tempfile
import unittest

from detect_e2e import DETECT, PRELOAD, PROGRAMS, line_of


def stats(*arguments):
    done = subprocess.run([str(DETECT), "stats", "--format=json", *map(str, arguments)], stdout=subprocess.PIPE,
                          check=True, timeout=60)
    return json.loads(done.stdout)


def start(case, folder):
    env = {**os.environ, "LD_PRELOAD": str(PRELOAD), "DETECT_OPTIONS": f"online=no:log_dir={folder}" if folder else ""}
    return subprocess.Popen([PROGRAMS / "contention", case], env=env, stdout=subprocess.PIPE)


class Stats(unittest.TestCase):
    def test_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            program = start("counts", folder)
            program.communicate()
            self.assertEqual(program.returncode, 0)
            found = stats(folder)
            locks = {lock["name"]: lock for lock in found["locks"]}
            hot, cold = locks["mutex `hot`"], locks["mutex `cold`"]
            # Estimates of 60,000 and 3,002; each thread begins with every acquisition and gets to one in 1,024.
            self.assertTrue(45000 < hot["acquisitions"] < 75000, hot)
            self.assertTrue(1000 < cold["acquisitions"] < 6000, cold)
            self.assertEqual((hot["contended"], cold["contended"]), (0, 1))
            self.assertGreater(cold["wait_total_ns"], 100e6)
            self.assertEqual(cold["wait_total_ns"], cold["wait_max_ns"])
            self.assertIn(f"contention.c:{line_of('contention.c', 'waits')} ", cold["sites"]["wait"])
            self.assertEqual(found["locks"][0]["name"], "mutex `cold`", "what costs most comes first")
            text = subprocess.run([str(DETECT), "stats", folder], stdout=subprocess.PIPE, text=True, check=True).stdout
            self.assertIn("waits longest at contention.c:", text)
            (one,) = stats("--limit=1", folder)["locks"]
            self.assertEqual(one["name"], "mutex `cold`")

    def test_of_a_running_and_a_killed_process(self):
        for logged in (False, True):
            with self.subTest(logged=logged), tempfile.TemporaryDirectory() as folder:
                program = start("busy", folder if logged else None)
                self.addCleanup(program.kill)
                program.stdout.readline()
                first = stats(program.pid)["locks"]
                watch = subprocess.Popen([str(DETECT), "stats", "--watch=1", "--format=json", str(program.pid)],
                                         stdout=subprocess.PIPE, text=True)
                seen = [self.read_one(watch.stdout) for _ in range(3)]
                watch.kill()
                watch.communicate()
                program.kill()
                program.communicate()
                counts = [sum(lock["acquisitions"] for lock in shown["locks"]) for shown in seen]
                self.assertEqual(counts, sorted(set(counts)), "it goes on counting")
                self.assertLessEqual(sum(lock["acquisitions"] for lock in first), counts[0])
                if logged:
                    last = sum(lock["acquisitions"] for lock in stats(folder)["locks"])
                    self.assertGreaterEqual(last, counts[-1])
                    self.assertEqual(len(stats("--by=class", folder)["locks"]), 2)

    def read_one(self, stream):
        text = ""
        while not text.endswith("\n}\n"):
            line = stream.readline()
            self.assertTrue(line, text)
            text += line
        return json.loads(text)

    def test_wrong_arguments(self):
        for arguments in (["--by=size", "."], ["--limit=0", "."], ["/nowhere"], ["--watch=x", "1"], []):
            done = subprocess.run([str(DETECT), "stats", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count(b"\n")), (2, b"", 1), arguments)


if __name__ == "__main__":
    unittest.main()
