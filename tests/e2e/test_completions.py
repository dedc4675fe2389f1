"""What the shells complete: asked of the shells themselves."""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from detect_case import DETECT, ROOT, DetectCase

COMPLETIONS = ROOT / "tools/completions"
LEVELS = {"note", "warning", "error", "never"}


def named(text, pattern):
    return set(re.findall(pattern, text, re.M))


def help_of(*command):
    return subprocess.run([DETECT, *command, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout


def commands():
    return named(help_of(), r"^  ([\w+]+) ")


def long_options(command):
    return {option for row in re.findall(r"^ {2,6}(-[^\s,]+(?:, -[^\s,]+)*)", help_of(command), re.M)
            for option in re.findall(r"--[a-z-]+", row)}


class Shell:
    """The same cases for every shell; `complete` gives the words that are offered for a line."""

    def setUp(self):
        super().setUp()
        self.environment = {**os.environ, "PATH": f"{pathlib.Path(DETECT).parent}:{os.environ['PATH']}", "HOME": str(self.folder),
                            "XDG_CONFIG_HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "TERM": "dumb",
                            "LC_ALL": "C.UTF-8"}
        self.write("facts-of-mine.json", "")
        (self.folder / "logs-of-mine").mkdir()

    def assert_offers(self, line, words, not_words=()):
        offered = {word.split("=")[-1] if "=" in line.split()[-1] else word.rstrip("=/ ") for word in self.complete(line)}
        self.assertLessEqual(set(words), offered, line)
        self.assertEqual(set(not_words) & offered, set(), line)

    def test_commands(self):
        self.assert_offers("detect ", commands())
        self.assert_offers("detect re", {"report"})

    def test_options(self):
        for command in sorted(commands()):
            with self.subTest(command=command):
                self.assert_offers(f"detect {command} --", long_options(command))

    def test_words(self):
        self.assert_offers("detect run --fail-on=", LEVELS, {"facts-of-mine.json"})
        self.assert_offers("detect run --children=", {"yes", "no"})

    def test_files(self):
        self.assert_offers("detect diff fa", {"facts-of-mine.json"})
        self.assert_offers("detect run --baseline=fa", {"facts-of-mine.json"})

    def test_rules(self):
        self.assert_offers("detect explain lock", {"lock-order-cycle"}, {"self-deadlock"})

    def test_programs(self):
        self.assert_offers("detect run sqlit", {"sqlite3"})
        self.assert_offers("detect doctor sqlit", {"sqlite3"})


class Bash(Shell, DetectCase):
    def complete(self, line):
        words = re.findall(r"=|[^\s=]+", line) + ([""] if line.endswith((" ", "=")) else [])
        script = """. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _detect; printf '%s\\n' "${COMPREPLY[@]}" """
        done = subprocess.run(["bash", "-c", script, "bash", str(COMPLETIONS / "detect.bash"), *words], env=self.environment,
                              cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
        self.assertEqual(done.stderr, "")
        if done.stdout.strip():
            return done.stdout.splitlines()
        return [path.name for path in self.folder.iterdir()]  # -o default: readline's own files

    def test_the_word_behind_an_option(self):
        self.assert_offers("detect run -f ", {"text", "json", "sarif"})
        self.assert_offers("detect run --fail-on ", LEVELS)
        self.assert_offers("detect run -o logs", {"logs-of-mine"}, {"facts-of-mine.json"})

    def test_behind_the_program(self):
        for line in ("detect run sqlite3 --fa", "detect run -f json sqlite3 --fa", "detect run -- sqlite3 --fa",
                     "detect run --fail-on=note -q sqlite3 --fa"):
            self.assert_offers(line, (), {"--fail-on"})
        self.assert_offers("detect run -q --fa", {"--fail-on"})

    def test_it_is_right_bash(self):
        done = subprocess.run(["bash", "-n", COMPLETIONS / "detect.bash"], stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


@unittest.skipUnless(shutil.which("fish"), "fish is not installed")
class Fish(Shell, DetectCase):
    def complete(self, line):
        done = subprocess.run(["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", str(COMPLETIONS / "detect.fish"), line],
                              env=self.environment, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
        self.assertEqual(done.stderr, "")
        return [word.split("\t")[0] for word in done.stdout.splitlines()]


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class Zsh(Shell, DetectCase):
    def read_until(self, terminal, mark, seconds=20):
        text, end = b"", time.monotonic() + seconds
        while mark not in text and time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                text += os.read(terminal, 65536)
        self.assertIn(mark, text)
        return text

    def complete(self, line):
        """What list-choices prints at a terminal, between the line and the line's next print."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], self.environment)
        try:
            setup = (f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=10000; stty columns 300 rows 1000; "
                     "setopt no_beep; unset zle_bracketed_paste; show() { zle list-choices; zle -R; zle -I; print SHO''WN }; zle -N show; "
                     "bindkey '^T' show; PS1=REA''DY\n")
            os.write(terminal, setup.encode())
            self.read_until(terminal, b"READY")
            time.sleep(0.05)
            os.write(terminal, line.encode() + b"\x14")
            return self.read_until(terminal, b"SHOWN").decode("utf-8", "replace").split()
        finally:
            os.close(terminal)
            os.waitpid(child, 0)


if __name__ == "__main__":
    unittest.main()
