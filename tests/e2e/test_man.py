"""The man pages say what --help says, all of it and nothing else; they are right mdoc, and installed ones are found."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from detect_case import DETECT, ROOT

PAGES = pathlib.Path(os.environ["DETECT_MAN"])
LONG = re.compile(r"--[a-z][a-z-]+")


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8", env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout


def rendered(page):
    return output("mandoc", "-T", "ascii", "-O", "width=200", page).replace("\b", "\0")


def text_of(page):
    return re.sub(".\0", "", rendered(page))


def commands():
    return re.findall(r"^  ([\w+]+) ", output(DETECT, "--help"), re.M)


def help_options(command):
    """{"-f, --format=FORMAT", ...} as --help has them before their texts."""
    names = re.findall(r"^ {2,6}(-[^\s,]+(?:, -[^\s,]+)*)", output(DETECT, command, "--help"), re.M)
    return {option for name in names for option in name.split(", ")}


def page_options(text):
    """The same of a page's OPTIONS."""
    section = re.search(r"^OPTIONS\n(.*?)^\S", text, re.M | re.S)[1]
    names = re.findall(r"^ {5}(-\S.*?)(?: {2,}.*)?$", section, re.M)
    return {option for name in names for option in name.split(", ")}


class Man(unittest.TestCase):
    def test_one_for_each_command(self):
        self.assertEqual({page.name for page in PAGES.glob("*.1")}, {"detect.1"} | {f"detect-{name}.1" for name in commands()})
        overview = text_of(PAGES / "detect.1")
        for name in commands():
            self.assertIn(f"detect-{name}(1)", overview)

    def test_no_command_is_passed_over(self):
        listed = output(DETECT, "--help").split("\n\n")[1].splitlines()
        self.assertEqual(len(commands()), len(listed))
        self.assertIn("run", commands())

    def test_no_page_of_no_command(self):
        written = {path.stem for path in (ROOT / "docs/man").glob("*.mdoc")}
        self.assertLessEqual(written, {"detect"} | {f"detect-{name}" for name in commands()})

    def test_the_options_are_those_of_help(self):
        for name in commands():
            with self.subTest(command=name):
                options = help_options(name)
                self.assertIn("--help", options)
                self.assertEqual(page_options(text_of(PAGES / f"detect-{name}.1")), options)

    def test_what_is_said_of_an_option(self):
        for name in commands():
            said = " ".join(text_of(PAGES / f"detect-{name}.1").split())
            for line in output(DETECT, name, "--help").splitlines():
                words = re.match(r"^ {20,}(\S.*)$", line)
                if words:
                    self.assertIn(" ".join(words[1].split()), said)

    def test_options_in_the_prose_are_options(self):
        known = {LONG.search(option)[0] for name in commands() for option in help_options(name) if LONG.search(option)}
        for path in PAGES.glob("*.1"):
            text = text_of(path)
            self.assertLessEqual(set(LONG.findall(text)) - known, {"--version"}, path.name)

    def test_examples_use_commands_and_options_that_exist(self):
        for path in PAGES.glob("*.1"):
            for command, rest in re.findall(r"\$ detect (\S+)(.*)", text_of(path)):
                self.assertIn(command, commands())
                allowed = {option.split("=")[0].split("[")[0] for option in help_options(command)}
                for option in re.findall(r"(?<!\S)-{1,2}[a-z][a-z-]*", rest.split(" -- ")[0]):
                    self.assertIn(option, allowed, path.name)

    def test_options_of_the_shim(self):
        text = text_of(PAGES / "detect.1")
        rows = re.findall(r"^DT_OPTION\((\w+),", (ROOT / "libdetect/include/detect/options.def").read_text(), re.M)
        self.assertGreater(len(rows), 10)
        for row in rows:
            self.assertRegex(text, rf"(?m)^ +{row}(?: |$)")

    def test_rules(self):
        text = text_of(PAGES / "detect-explain.1")
        for line in output(DETECT, "explain").splitlines():
            self.assertIn(line.split()[0], text)

    def test_mdoc(self):
        for page in PAGES.glob("*.1"):
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.stdout, b"")

    def test_made_the_same_again(self):
        with tempfile.TemporaryDirectory(prefix="detect-man-") as folder:
            made = []
            for _ in range(2):
                subprocess.run([ROOT / "docs/man/make-pages", DETECT, ROOT / "docs/man", folder], check=True,
                               env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
                made.append({page.name: page.read_bytes() for page in pathlib.Path(folder).iterdir()})
            self.assertEqual(*made)
            self.assertIn(b".Dd November 14, 2023", made[0]["detect.1"])


if __name__ == "__main__":
    unittest.main()
