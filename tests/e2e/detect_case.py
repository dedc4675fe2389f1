"""What the end-to-end tests share: where the built command is, and how it is run.

DETECT_BIN names the command (ctest sets it; default: build/release/bin/detect).
DETECT_PRELOAD names the shim; without it `detect` looks beside itself.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DETECT = os.environ.get("DETECT_BIN", str(ROOT / "build/release/bin/detect"))


class DetectCase(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="detect-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()

    def detect(self, *args, env=None, **options):
        environment = {**os.environ, "TMPDIR": str(self.temporary), **(env or {})}
        return subprocess.run([DETECT, *map(str, args)], env=environment, cwd=self.folder, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def assert_line(self, done, status, *words):
        """It said one clear line on stderr, nothing on stdout, and ended with `status`."""
        error = done.stderr.decode("utf-8", "strict")
        self.assertEqual(done.returncode, status, error)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(error.count("\n"), 1, error)
        self.assertTrue(error.startswith("detect"), error)
        for word in words:
            self.assertIn(word, error)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def json_report(self, *args, status=None):
        done = self.detect("report", "-f", "json", *args)
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout.decode("utf-8", "strict"))
