"""`detect doctor` names each obstacle, says how to mend it, and finds none where there is none."""

import ctypes
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import unittest

from detect_case import DetectCase

PRELOAD = pathlib.Path(os.environ["DETECT_PRELOAD"])
CC = os.environ.get("CC", "cc")
LOADER, MUSL = b"/lib64/ld-linux-x86-64.so.2\0", b"/lib/ld-musl-x86_64.so.1\0"
FTRUNCATE = 77  # on x86-64; the shim makes its log with it, detect itself does not use it


def forbid_ftruncate():
    """A seccomp filter that kills for it, as strict sandboxes do."""

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]

    def step(code, jt, jf, k):
        return struct.pack("HBBI", code, jt, jf, k)

    code = step(0x20, 0, 0, 0) + step(0x15, 0, 1, FTRUNCATE) + step(0x06, 0, 0, 0x80000000) + step(0x06, 0, 0, 0x7FFF0000)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    if libc.prctl(38, 1, None, 0, 0) or libc.prctl(22, 2, ctypes.addressof(Filter(4, code)), 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class Doctor(DetectCase):
    def doctor(self, *args, **options):
        done = self.detect("doctor", "-f", "json", *args, **options)
        self.assertEqual(done.stderr, b"")
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 1 if report["summary"]["problem"] else 0, report)
        return report

    def assert_fine(self, *args, **options):
        report = self.doctor(*args, **options)
        self.assertEqual([line for line in report["checks"] if line["verdict"] == "problem"], [])
        return report

    def assert_says(self, verdict, check, words, *args, **options):
        """One line of this check says so, and how to mend it; no other check has a problem."""
        report = self.doctor(*args, **options)
        lines = [line for line in report["checks"] if line["verdict"] == verdict and line["check"] == check]
        self.assertTrue(lines, report)
        self.assertTrue(any(words in line["message"] and line["mend"] for line in lines), lines)
        self.assertEqual({line["check"] for line in report["checks"] if line["verdict"] == "problem"} - {check}, set())

    def build(self, name, *flags, source="int main(void) { return 0; }"):
        (self.folder / f"{name}.c").write_text(source)
        subprocess.run([CC, f"{name}.c", "-o", name, *flags], check=True, cwd=self.folder)
        return self.folder / name


class Here(Doctor):
    def test_nothing_is_wrong(self):
        report = self.assert_fine()
        names = {line["check"] for line in report["checks"]}
        self.assertLessEqual({"shim", "c-library", "log-folder", "preloading"}, names)
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_text(self):
        done = self.detect("doctor")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"It would work", done.stdout)
        self.assertEqual(self.detect("doctor", "-q").stdout, b"")
        done = self.detect("doctor", "nowhere\x1b[2J")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"It would not work: 1 problem", done.stdout)
        self.assertIn(b"to mend it: ", done.stdout)
        self.assertNotIn(b"\x1b", done.stdout)

    def test_usage(self):
        self.assert_line(self.detect("doctor", "--nope"), 2, "--nope")
        self.assert_line(self.detect("doctor", "--format=xml"), 2, "text, json")

    def test_the_shim_is_not_there(self):
        self.assert_says("problem", "shim", "No such file", env={"DETECT_PRELOAD": "/nowhere.so"})

    def test_another_library(self):
        (library,) = [line.split()[2] for line in subprocess.check_output(["ldd", "/bin/sh"], text=True).splitlines()
                      if "libc.so" in line]
        self.assert_says("problem", "shim", "not the shim", env={"DETECT_PRELOAD": library})

    def test_a_path_that_the_loader_splits(self):
        copy = self.folder / "my shim.so"
        shutil.copy(PRELOAD, copy)
        self.assert_says("problem", "shim", "a space", env={"DETECT_PRELOAD": str(copy)})

    def test_no_library(self):
        self.write("shim.so", "DETECT_OPTIONS")
        self.assert_says("problem", "preloading", "cannot be preloaded",
                         env={"DETECT_PRELOAD": str(self.folder / "shim.so")})

    def test_nothing_is_preloaded(self):
        """As where a wrapper or a policy strips LD_PRELOAD: the program runs, and leaves no log."""
        library = self.build("idle.so", "-shared", "-fPIC", source='const char *name(void) { return "DETECT_OPTIONS"; }')
        self.assert_says("problem", "preloading", "left no log", env={"DETECT_PRELOAD": str(library)})

    def test_what_is_preloaded_crashes(self):
        library = self.build("crash.so", "-shared", "-fPIC", source='const char *name = "DETECT_OPTIONS";\n'
                             "__attribute__((constructor)) static void crash(void) { __builtin_trap(); }")
        self.assert_says("problem", "preloading", "ended by signal", env={"DETECT_PRELOAD": str(library)})

    def test_of_another_c_library(self):
        content = PRELOAD.read_bytes()
        self.assertIn(b"GLIBC_2.34\0", content)
        self.write("shim.so", content.replace(b"GLIBC_2.34\0", b"GLIBC_9.99\0"))
        self.assert_says("problem", "preloading", "GLIBC_9.99", env={"DETECT_PRELOAD": str(self.folder / "shim.so")})

    def test_a_sandbox_that_kills(self):
        self.assert_says("problem", "preloading", "ended by signal 31", preexec_fn=forbid_ftruncate)

    def test_no_folder_for_logs(self):
        self.assert_says("problem", "log-folder", "No such file", env={"TMPDIR": "/nowhere"})
        self.write("file", "")
        self.assert_says("problem", "log-folder", "Not a directory", "-o", "file")
        self.assert_says("problem", "log-folder", "No such file", "--output=a/b")
        self.assert_fine("--output=new", env={"TMPDIR": "/nowhere"})
        self.assertFalse((self.folder / "new").exists())

    def test_small_files_only(self):
        def limit(bytes_):
            return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))

        report = self.doctor(preexec_fn=limit(1 << 16))
        wrong = {line["check"] for line in report["checks"] if line["verdict"] == "problem"}
        self.assertEqual(wrong, {"limits", "preloading"})
        self.assert_says("warning", "limits", "limited to 8 MB", preexec_fn=limit(1 << 23))

    def test_little_address_space(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))

        self.assert_says("warning", "limits", "2048 MB", preexec_fn=limit)

    def test_wrong_options(self):
        self.assert_says("warning", "preloading", "unknown option 'colour'", env={"DETECT_OPTIONS": "colour=blue"})


class Programs(Doctor):
    def test_fine(self):
        program = self.build("fine", "-g", "-pthread")
        report = self.assert_fine(program, "--its-own-option")
        self.assertEqual(report["summary"]["warning"], 0, report)
        script = self.write("script", "#!%s\n" % program)
        script.chmod(0o755)
        self.assert_fine(script)

    def test_it_is_not_run(self):
        program = self.build("writer", source='#include <stdio.h>\nint main(void) { return !fopen("was-here", "w"); }')
        self.assert_fine(program)
        self.assertFalse((self.folder / "was-here").exists())

    def test_not_there(self):
        self.assert_says("problem", "program", "not found", "no-such-program")

    def test_not_executable(self):
        self.assert_says("problem", "program", "Permission denied", self.write("data", "hello"))

    def test_static(self):
        self.assert_says("problem", "program", "statically linked", self.build("static", "-static"))

    def test_set_user_id(self):
        program = self.build("setuid", "-g")
        program.chmod(0o4755)
        self.assert_says("problem", "program", "set-user-ID", program)
        program.chmod(0o2755)
        self.assert_says("problem", "program", "set-group-ID", program)
        program.chmod(0o755)
        self.assert_fine(program)

    def test_file_capabilities(self):
        program = self.build("capable", "-g")
        try:  # cap_net_raw, permitted
            os.setxattr(program, "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
        except OSError as error:
            self.skipTest(f"needs root and a file system that keeps them: {error}")
        self.assert_says("problem", "program", "capabilities", program)

    def test_another_machine(self):
        content = bytearray(self.build("wide").read_bytes())
        content[4] = 1  # ELFCLASS32
        narrow = self.write("narrow", bytes(content))
        narrow.chmod(0o755)
        self.assert_says("problem", "program", "another kind of machine", narrow)

    def test_musl(self):
        content = self.build("glibc").read_bytes()
        self.assertIn(LOADER, content)
        musl = self.write("musl", content.replace(LOADER, MUSL.ljust(len(LOADER), b"\0")))
        musl.chmod(0o755)
        self.assert_says("problem", "program", "musl", musl)

    def test_libraries(self):
        for name, source in (("full", "int used(void) { return 0; }"), ("less", "int other;")):
            self.build(f"lib{name}.so", "-shared", "-fPIC", source=source)
        shutil.copy(self.folder / "libfull.so", self.folder / "libneeded.so")
        program = self.build("user", "-g", "-L.", "-l:libneeded.so", "-Wl,-rpath,$ORIGIN",
                             source="int used(void);\nint main(void) { return used(); }")
        self.assert_fine(program)
        shutil.copy(self.folder / "libless.so", self.folder / "libneeded.so")
        self.assert_says("warning", "libraries", "undefined symbol: used", program)
        (self.folder / "libneeded.so").unlink()
        self.assert_says("problem", "libraries", "libneeded.so => not found", program)

    def test_debug_information(self):
        program = self.build("debugged", "-g")
        self.assertEqual(self.assert_fine(program)["summary"]["warning"], 0)
        subprocess.run(["strip", "--strip-debug", program], check=True)
        self.assert_says("warning", "debug-information", "no lines", program)
        subprocess.run(["strip", program], check=True)
        self.assert_says("warning", "debug-information", "addresses only", program)

    def test_debug_information_beside(self):
        program = self.build("split", "-g")
        subprocess.run(["objcopy", "--only-keep-debug", program, f"{program}.debug"], check=True)
        subprocess.run(["strip", program], check=True)
        subprocess.run(["objcopy", f"--add-gnu-debuglink={program}.debug", program], check=True)
        self.assertEqual(self.assert_fine(program)["summary"]["warning"], 0)

    def test_runtimes(self):
        rust = self.build("rust", "-g", source='__asm__(".ident \\"rustc version 1.63.0\\"");\nint main(void) { return 0; }')
        self.assert_says("warning", "runtimes", "Rust", rust)
        go = self.build("go", "-g", source='__attribute__((section(".go.buildinfo"), used)) static int info = 1;\nint main(void) { return 0; }')
        self.assert_says("warning", "runtimes", "Go", go)


if __name__ == "__main__":
    unittest.main()
