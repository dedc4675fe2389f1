"""The Debian package: its fields and files are right, and what is in it works from where it is unpacked.

tests/e2e/run-package installs it into a system of its own.
"""

import gzip
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BUILD = os.environ["DETECT_BUILD"]
SAMPLES = pathlib.Path(os.environ["DETECT_SAMPLES"])


@unittest.skipUnless(shutil.which("dpkg-shlibdeps"), "dpkg-dev is not installed")
class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="detect-package-"))
        done = subprocess.run(["cpack", "-G", "DEB", "--config", f"{BUILD}/CPackConfig.cmake", "-B", cls.folder],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout
        (cls.package,) = cls.folder.glob("*.deb")
        cls.root = cls.folder / "root"
        subprocess.run(["dpkg-deb", "-x", cls.package, cls.root], check=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def field(self, name):
        return subprocess.check_output(["dpkg-deb", "-f", self.package, name], text=True).strip()

    def test_fields(self):
        self.assertRegex(self.package.name, r"^libdetect_\d+\.\d+\.\d+_amd64\.deb$")
        self.assertEqual((self.field("Package"), self.field("Section")), ("libdetect", "devel"))
        depends = {entry.split()[0] for entry in self.field("Depends").split(", ")}
        self.assertLessEqual({"libc6", "libdw1", "libjansson4", "libpq5", "libsqlite3-0"}, depends)

    def test_files(self):
        files = {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}
        self.assertLessEqual({"usr/bin/detect", "usr/share/doc/libdetect/copyright", "usr/share/man/man1/detect.1.gz",
                              "usr/share/man/man1/detect-run.1.gz", "usr/share/bash-completion/completions/detect",
                              "usr/share/zsh/vendor-completions/_detect", "usr/share/fish/vendor_completions.d/detect.fish",
                              "usr/include/detect/facts.h"}, files)
        self.assertTrue(all(name.startswith("usr/") for name in files), files)
        for path in self.root.rglob("*"):
            self.assertFalse(path.stat().st_mode & 0o6022, path)
        page = gzip.decompress((self.root / "usr/share/man/man1/detect-run.1.gz").read_bytes())
        self.assertIn(b".Dt DETECT-RUN 1", page)

    def test_it_works_where_it_is_unpacked(self):
        environment = {name: value for name, value in os.environ.items() if name != "DETECT_PRELOAD"}
        for sample, status, words in (("bank-transfer-bug", 66, b"lock-order-cycle"), ("bank-transfer-fix", 0, b"0 errors, 0 warnings")):
            done = subprocess.run([self.root / "usr/bin/detect", "run", "--", SAMPLES / sample], env=environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
