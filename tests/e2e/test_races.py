"""Data races end to end: a positive and a negative twin of each kind, with both compilers."""

import ctypes.util
import os
import pathlib
import re
import subprocess
import unittest

from detect_case import DETECT
from race_case import ALL_COMPILERS, COMPILERS, HEAD, RaceCase

TWO = "static void *a(void *unused) {{ (void)unused; {a} return NULL; }}\nstatic void *b(void *unused) {{ (void)unused; {b} return NULL; }}\n"
MAIN = "int main(void) { run(a, b); return 0; }\n"


def two(before, a, b):
    return HEAD + before + TWO.format(a=a, b=b) + MAIN


# What the cases call their own: all are in one program, so that a compiler is called once.
OWN = "v w q p m n c f l o r s t first second init take get each a b".split()


def table():
    """A program that runs the case it is told."""
    cases = "".join("".join(f"#define {own} {own}_{i}\n" for own in OWN) + before + "\n" + TWO.format(a=a, b=b) +
                    "".join(f"#undef {own}\n" for own in OWN) for i, (before, a, b, _) in enumerate(CASES.values()))
    rows = "".join(f'\tif (!strcmp(argv[1], "{name}")) return run(a_{i}, b_{i}), 0;\n' for i, name in enumerate(CASES))
    return HEAD + cases + "int main(int argc, char **argv)\n{\n\tif (argc != 2) return 2;\n" + rows + "\treturn 2;\n}\n"


# name: (declarations, first thread, second thread, expected rules). Steps force the order of what they separate.
CASES = {
    "plain": ("static int v;", "step(0); v++; step(1);", "step(2); v++;", {"data-race"}),
    "plain-locked": ("static int v; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;",
                     "pthread_mutex_lock(&m); v++; pthread_mutex_unlock(&m);",
                     "pthread_mutex_lock(&m); v++; pthread_mutex_unlock(&m);", set()),
    "read-only": ("static int v = 1;", "volatile int x = v; (void)x;", "volatile int x = v; (void)x;", set()),
    "neighbours": ("static char v[8];", "v[0]++;", "v[1]++;", set()),
    "bit-fields": ("struct { unsigned a : 4, b : 4; } v;", "step(0); v.a = 1; step(1);", "step(2); v.b = 1;", {"data-race"}),
    "relaxed-publishes-nothing": ("static int v; static atomic_int f;",
                                  "v = 1; atomic_store_explicit(&f, 1, memory_order_relaxed);",
                                  "while (!atomic_load_explicit(&f, memory_order_relaxed)); v++;", {"data-race"}),
    "release-acquire": ("static int v; static atomic_int f;",
                        "v = 1; atomic_store_explicit(&f, 1, memory_order_release);",
                        "while (!atomic_load_explicit(&f, memory_order_acquire)); v++;", set()),
    "fences": ("static int v; static atomic_int f;",
               "v = 1; atomic_thread_fence(memory_order_release); atomic_store_explicit(&f, 1, memory_order_relaxed);",
               "while (!atomic_load_explicit(&f, memory_order_relaxed)); atomic_thread_fence(memory_order_acquire); v++;", set()),
    "fence-after-store": ("static int v; static atomic_int f;",
                          "atomic_thread_fence(memory_order_release); v = 1; atomic_store_explicit(&f, 1, memory_order_relaxed);",
                          "while (!atomic_load_explicit(&f, memory_order_relaxed)); atomic_thread_fence(memory_order_acquire); v++;",
                          {"data-race"}),
    "release-sequence": ("static int v; static atomic_int f;",
                         "v = 1; atomic_store_explicit(&f, 1, memory_order_release);"
                         "atomic_fetch_add_explicit(&f, 1, memory_order_relaxed);",
                         "while (atomic_load_explicit(&f, memory_order_acquire) != 2); v++;", set()),
    "release-sequence-broken": ("static int v; static atomic_int f;",
                                "v = 1; atomic_store_explicit(&f, 1, memory_order_release); step(0); step(2);",
                                "step(1); atomic_store_explicit(&f, 2, memory_order_relaxed); step(3);"
                                "(void)atomic_load_explicit(&f, memory_order_acquire); v++;", {"data-race"}),
    # As C11 has it: what the thread stores itself goes on with its release.
    "release-sequence-of-its-own": ("static int v; static atomic_int f;",
                                    "v = 1; atomic_store_explicit(&f, 1, memory_order_release); atomic_store_explicit(&f, 2, memory_order_relaxed);",
                                    "while (atomic_load_explicit(&f, memory_order_acquire) != 2); v++;", set()),
    "atomic-against-plain": ("static int v;", "step(0); __atomic_store_n(&v, 1, __ATOMIC_SEQ_CST); step(1);", "step(2); v++;",
                             {"data-race"}),
    "semaphore": ("static int v; static sem_t s; __attribute__((constructor)) static void init(void) { sem_init(&s, 0, 0); }",
                  "v = 1; sem_post(&s);", "sem_wait(&s); v++;", set()),
    "barrier": ("static int v; static pthread_barrier_t r; __attribute__((constructor)) static void init(void) { pthread_barrier_init(&r, NULL, 2); }",
                "v = 1; pthread_barrier_wait(&r); pthread_barrier_wait(&r); v++;", "pthread_barrier_wait(&r); v++; pthread_barrier_wait(&r);", set()),
    "condition": ("static int v, f; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static pthread_cond_t c = PTHREAD_COND_INITIALIZER;",
                  "v = 1; pthread_mutex_lock(&m); f = 1; pthread_cond_signal(&c); pthread_mutex_unlock(&m);",
                  "pthread_mutex_lock(&m); while (!f) pthread_cond_wait(&c, &m); pthread_mutex_unlock(&m); v++;", set()),
    "rwlock-reader-writes": ("static int v; static pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;",
                             "step(0); pthread_rwlock_rdlock(&l); v++; pthread_rwlock_unlock(&l); step(1);",
                             "step(2); pthread_rwlock_rdlock(&l); v++; pthread_rwlock_unlock(&l);", {"data-race"}),
    "rwlock": ("static int v; static pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;",
               "pthread_rwlock_wrlock(&l); v++; pthread_rwlock_unlock(&l);"
               "pthread_rwlock_rdlock(&l); volatile int y = v; (void)y; pthread_rwlock_unlock(&l);",
               "pthread_rwlock_rdlock(&l); volatile int x = v; (void)x; pthread_rwlock_unlock(&l);"
               "pthread_rwlock_wrlock(&l); v++; pthread_rwlock_unlock(&l);", set()),
    "spin": ("static int v; static pthread_spinlock_t l; __attribute__((constructor)) static void init(void) { pthread_spin_init(&l, 0); }", "pthread_spin_lock(&l); v++; pthread_spin_unlock(&l);",
             "pthread_spin_lock(&l); v++; pthread_spin_unlock(&l);", set()),
    "once": ("static int v; static pthread_once_t o = PTHREAD_ONCE_INIT; static void init(void) { v = 1; }",
             "pthread_once(&o, init); volatile int x = v; (void)x;", "pthread_once(&o, init); volatile int x = v; (void)x;", set()),
    "c11": ("static int v; static mtx_t m; __attribute__((constructor)) static void init(void) { mtx_init(&m, mtx_plain); }",
            "mtx_lock(&m); v++; mtx_unlock(&m);", "mtx_lock(&m); v++; mtx_unlock(&m);", set()),
    "benign": ("static int v; __attribute__((constructor)) static void init(void) { DETECT_BENIGN_RACE(&v, sizeof v, \"test\"); }",
               "step(0); v++; step(1);", "step(2); v++;", set()),
    "annotated-order": ("static int v;", "v = 1; DETECT_HAPPENS_BEFORE(&v); step(0);", "step(1); DETECT_HAPPENS_AFTER(&v); v++;", set()),
    "use-after-free": ("static char *p; __attribute__((constructor)) static void init(void) { p = malloc(64); }",
                       "step(0); p[5] = 1; step(1);", "step(2); free(p);", {"use-after-free-race"}),
    "copied-by-libc": ("char v[4096], w[2][4096]; static volatile size_t n = 4096;", "step(0); memcpy(v, w[0], n); step(1);",
                       "step(2); memcpy(w[1], v, n);", {"data-race"}),
    "moved-by-libc": ("char v[4096]; static volatile size_t n = 4000;", "step(0); memmove(v, v + 8, n); step(1);",
                      "step(2); v[3999] = 1;", {"data-race"}),
    "set-by-libc": ("char v[4096]; static volatile size_t n = 4096;", "step(0); memset(v, 0, n); step(1);",
                    "step(2); v[4095] = 1;", {"data-race"}),
    "copied-apart": ("char v[4096]; static volatile size_t n = 2044;", "step(0); memset(v, 1, n); memcpy(v, v + n / 2, n / 2); step(1);",
                     "step(2); memset(v + n, 1, n); memmove(v + n, v + n + 1, n - 1);", set()),
    "block-used-again": ("", "step(0); char *p = malloc(64); p[5] = 1; free(p); step(1);",
                         "step(2); char *p = malloc(64); p[5] = 1; free(p);", set()),
    # Ordered only by who took the lock first.
    "predicted": ("int v, w; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;",
                  "step(0); v = 1; pthread_mutex_lock(&m); pthread_mutex_unlock(&m); step(1);",
                  "step(2); pthread_mutex_lock(&m); w = 1; pthread_mutex_unlock(&m); v = 2;", {"predicted-race"}),
    # The queue's accesses are in order by the pipe; what its thread does until it gives the lock back is by the lock.
    "handed-over-early": ("int v, q; static int p[2]; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;"
                          "__attribute__((constructor)) static void init(void) { if (pipe(p)) abort(); }",
                          "pthread_mutex_lock(&m); q = 1; if (write(p[1], \"\", 1) != 1) abort(); v = 1; pthread_mutex_unlock(&m); step(0);",
                          "char c; if (read(p[0], &c, 1) != 1) abort(); step(1); pthread_mutex_lock(&m); q = 2; pthread_mutex_unlock(&m); v = 2;",
                          set()),
    "not-handed-over": ("int v, q; static int p[2]; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;"
                        "__attribute__((constructor)) static void init(void) { if (pipe(p)) abort(); }",
                        "pthread_mutex_lock(&m); q = 1; if (write(p[1], \"\", 1) != 1) abort(); v = 1; pthread_mutex_unlock(&m); step(0);",
                        "char c; if (read(p[0], &c, 1) != 1) abort(); step(1); pthread_mutex_lock(&m); pthread_mutex_unlock(&m); v = 2;",
                        {"predicted-race"}),
    # The word of the buffer's ends is read and written in more ways than it has cells.
    "handed-over-in-a-full-word": ("struct item { int a, b; long c; int d[4]; }; static struct item q[400];"
                                   "static struct { long gap; unsigned s, t; } *v; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;"
                                   "__attribute__((constructor)) static void init(void) { v = calloc(1, sizeof *v); }",
                                   "for (int i = 0; i < 400; i++) { pthread_mutex_lock(&m); if (v->t < 400) { q[v->t] = (struct item){i, 0, i, {i, i, i, i}}; v->t += 1; }"
                                   "pthread_mutex_unlock(&m); if (i % 7 == 0) usleep(100); }",
                                   "volatile long sum = 0; for (unsigned n = 0; n < 400;) { pthread_mutex_lock(&m); unsigned from = 0, to = 0;"
                                   "if (v->s != v->t) { to = v->t; from = v->s; } pthread_mutex_unlock(&m);"
                                   "if (from == to) { usleep(50); continue; }"
                                   "for (unsigned k = from; k < to; k++) sum += q[k].a + q[k].c + q[k].d[3]; n += to - from;"
                                   "pthread_mutex_lock(&m); v->s += to - from; pthread_mutex_unlock(&m); }", set()),
    # The writer of a table learns what its readers have done before.
    "read-then-handed-over": ("int v, q; static pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;",
                              "step(0); v = 1; pthread_rwlock_rdlock(&l); volatile int x = q; (void)x; pthread_rwlock_unlock(&l); step(1);",
                              "step(2); pthread_rwlock_wrlock(&l); q = 2; pthread_rwlock_unlock(&l); v = 2;", set()),
    # More sets of locks, and larger ones, than are told apart: nothing is known of them, so nothing said.
    "many-locks": ("int v[400]; static pthread_mutex_t m[400]; static void *each(void *x) { for (int i = 0; i < 400; i++) for (int j = 0; j < i; j++) {"
                   "pthread_mutex_lock(&m[j]); pthread_mutex_lock(&m[i]); v[i]++; pthread_mutex_unlock(&m[i]); pthread_mutex_unlock(&m[j]); } return x; }",
                   "step(0); each(NULL); step(1);", "step(2); each(NULL);", set()),
    "held-with-many": ("int v; static pthread_mutex_t m[8];",
                       "step(0); for (int i = 0; i < 8; i++) pthread_mutex_lock(&m[i]); v = 1; for (int i = 0; i < 8; i++) pthread_mutex_unlock(&m[i]); step(1);",
                       "step(2); pthread_mutex_lock(&m[0]); v = 2; pthread_mutex_unlock(&m[0]);", set()),
    "handed-over-with-many": ("int v, q; static pthread_mutex_t m[8];",
                              "step(0); v = 1; for (int i = 0; i < 8; i++) pthread_mutex_lock(&m[i]); q = 1; for (int i = 0; i < 8; i++) pthread_mutex_unlock(&m[i]); step(1);",
                              "step(2); pthread_mutex_lock(&m[0]); q = 2; pthread_mutex_unlock(&m[0]); v = 2;", set()),
    # A recursive mutex is held until it was given back as often as it was taken.
    "recursive": ("int v; static pthread_mutex_t m = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;"
                  "static void take(void) { pthread_mutex_lock(&m); pthread_mutex_lock(&m); pthread_mutex_unlock(&m); v++; pthread_mutex_unlock(&m); }",
                  "step(0); take(); step(1);", "step(2); take();", set()),
    "recursive-c11": ("int v; static mtx_t m; __attribute__((constructor)) static void init(void) { mtx_init(&m, mtx_plain | mtx_recursive); }"
                      "static void take(void) { mtx_lock(&m); mtx_lock(&m); mtx_unlock(&m); v++; mtx_unlock(&m); }",
                      "step(0); take(); step(1);", "step(2); take();", set()),
    # What is looked at again under the lock is atomic, and so no conflict; what it points to is in order by it all the same.
    "double-checked": ("static _Atomic(int *) p; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;"
                       "static int *get(void) { int *q; pthread_mutex_lock(&m); if (!(q = atomic_load_explicit(&p, memory_order_relaxed))) { q = malloc(4); *q = 7;"
                       "atomic_store_explicit(&p, q, memory_order_release); } pthread_mutex_unlock(&m); return q; }",
                       "step(0); get(); step(1);", "step(2); *get() = 9;", set()),
    "handed-over": ("int v; int *q; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;",
                    "step(0); v = 1; pthread_mutex_lock(&m); q = &v; pthread_mutex_unlock(&m); step(1);",
                    "step(2); pthread_mutex_lock(&m); int *p = q; pthread_mutex_unlock(&m); *p = 2;", set()),
}


def symbols(path, shared=True):
    done = subprocess.run(["nm", *(["-D"] if shared else []), "--defined-only", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    return {line.split()[2].split("@")[0] for line in done.stdout.decode().splitlines() if len(line.split()) == 3}


class Interface(unittest.TestCase):
    # ThreadSanitizer's own internals and hooks that the program defines for it.
    OTHERS = {"__tsan_default_options", "__tsan_default_suppressions", "__tsan_on_report", "__tsan_symbolize_external",
              "__tsan_symbolize_external_ex", "__tsan_testonly_barrier_init", "__tsan_testonly_barrier_wait", "__tsan_report_race",
              "__tsan_report_race_thunk", "__tsan_trace_switch", "__tsan_trace_switch_thunk", "__tsan_resume", "__tsan_resumed",
              "__tsan_setjmp", "__tsan_thread_start_func", "__tsan_stack_initialization", "__tsan_tls_initialization",
              "__tsan_test_only_on_fork"}

    def test_what_each_compiler_s_runtime_has_ours_has_too(self):
        ours, seen = symbols(os.environ["DETECT_PRELOAD"]), 0
        for compiler in ALL_COMPILERS:
            shared = compiler.startswith("gcc")
            name = "libtsan.so" if shared else "libclang_rt.tsan-x86_64.a"
            runtime = subprocess.run([compiler, "-print-file-name=" + name], stdout=subprocess.PIPE, text=True).stdout.strip()
            if not os.path.exists(runtime):
                continue
            with self.subTest(compiler):
                theirs = {s for s in symbols(runtime, shared) if re.match(r"__tsan_|Annotate|WTFAnnotate|RunningOnValgrind|ThreadSan", s)}
                self.assertGreater(len(theirs), 150)
                self.assertEqual(sorted(theirs - ours - self.OTHERS), [])
                seen += 1
        if not seen:
            self.skipTest("no ThreadSanitizer here")

    def test_what_the_compilers_can_emit(self):
        ours = symbols(os.environ["DETECT_PRELOAD"])
        accesses = {f"__tsan_{v}{kind}{n}" for v in ("", "volatile_") for kind in ("read", "write") for n in (1, 2, 4, 8, 16)}
        accesses |= {f"__tsan_unaligned_{v}{kind}{n}" for v in ("", "volatile_") for kind in ("read", "write") for n in (2, 4, 8, 16)}
        accesses |= {f"__tsan_read_write{n}" for n in (1, 2, 4, 8, 16)} | {f"__tsan_unaligned_read_write{n}" for n in (2, 4, 8, 16)}
        atomics = {f"__tsan_atomic{n}_{op}" for n in (8, 16, 32, 64, 128)
                   for op in ("load", "store", "exchange", "fetch_add", "fetch_sub", "fetch_and", "fetch_or", "fetch_xor",
                              "fetch_nand", "compare_exchange_strong", "compare_exchange_weak", "compare_exchange_val")}
        others = {"__tsan_init", "__tsan_func_entry", "__tsan_func_exit", "__tsan_vptr_read", "__tsan_vptr_update",
                  "__tsan_read_range", "__tsan_write_range", "__tsan_atomic_thread_fence", "__tsan_atomic_signal_fence",
                  "__tsan_ignore_thread_begin", "__tsan_ignore_thread_end", "__tsan_memcpy", "__tsan_memset", "__tsan_memmove"}
        self.assertEqual(sorted((accesses | atomics | others) - ours), [])


# Not where its type says that it lies, and so in two words: at v + 7, what is written is up to v[7 + bytes].
for _type, _bytes in (("short", 2), ("int", 4), ("long", 8), ("atomic_int", 4)):
    for _beside in (False, True):
        CASES[f"misaligned-{_type}{'-beside' if _beside else ''}"] = (
            "char v[24] __attribute__((aligned(8))); static char *volatile p = v + 7;",
            f"step(0); *({_type} *)p = 1; step(1);", f"step(2); v[{6 + _bytes + _beside}] = 1;" + (" v[6] = 1;" if _beside else ""),
            set() if _beside else {"data-race"})


class Twins(RaceCase):
    """Every case of the table, by each compiler."""

    def check(self, compiler):
        program = self.build("table", table(), compiler)
        for name, (_, _, _, expected) in CASES.items():
            with self.subTest(name):
                for _ in range(2 if expected else 1):
                    done, races = self.findings(program, status=None, arguments=[name])
                    self.assertIn(done.returncode, (0, 66), done.stderr.decode())
                    self.assertEqual({race["rule"] for race in races}, expected, done.stderr.decode())


for _compiler in ALL_COMPILERS:
    setattr(Twins, f"test_{_compiler}", lambda self, compiler=_compiler: self.check(compiler))


class Reports(RaceCase):
    def test_both_stacks_locks_name_and_size(self):
        text = two("static long total; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;"
                   "__attribute__((noinline)) static void add(void) { total++; __asm__ volatile(\"\"); }",
                   "step(0); pthread_mutex_lock(&m); add(); pthread_mutex_unlock(&m); step(1);", "step(2); add();")
        done, (race,) = self.findings(self.build("report", text), status=66)
        self.assertEqual(race["memory"]["name"], "total")
        self.assertEqual(race["memory"]["place"], "global")
        accesses = [e for e in race["events"] if e["what"] in ("read", "write")]
        self.assertEqual(len(accesses), 2)
        for access in accesses:
            self.assertEqual(access["size"], 8)
            self.assertEqual(access["stack"][0]["function"], "add")
            self.assertIn(access["stack"][1]["function"], ("a", "b"))
        self.assertEqual(sorted(len(a["holding"]) for a in accesses), [0, 1])
        self.assertEqual([lock["name"] for lock in race["locks"]], ["m"])
        self.assertEqual({t["start"] for t in race["threads"] if t["id"] != 1}, {"a", "b"})
        self.assertTrue(all(t["created_at"] for t in race["threads"] if t["id"] != 1))

    def test_heap_block_by_its_allocation(self):
        text = two("static char *p; __attribute__((noinline)) static char *make(void) { return malloc(100); }"
                   "__attribute__((constructor)) static void init(void) { p = make(); }",
                   "step(0); p[7] = 1; step(1);", "step(2); p[7] = 2;")
        _, (race,) = self.findings(self.build("heap", text))
        self.assertEqual(race["memory"]["place"], "heap")
        self.assertEqual(race["memory"]["block_size"], 100)
        self.assertIn("make", [frame["function"] for frame in race["memory"]["allocated_at"]])

    def test_the_program_s_frames_of_an_allocation_by_a_library(self):
        """operator new, containers and strdup call malloc for the program: its own line is said, not only theirs."""
        ways = {
            "new": ("new int[25]", "delete[] static_cast<int *>(p)"),
            "aligned-new": ("new Wide", "delete static_cast<Wide *>(p)"),
            "container": ("&(*new std::vector<int>(100))[0]", "(void)p"),
            "string": ("&(*new std::string(100, 'x'))[0]", "(void)p"),
            "strdup": ("strdup(\"a string that is long enough to be written to\")", "free(p)"),
        }
        for compiler in COMPILERS:
            for name, (make, drop) in ways.items():
                text = two(f"""
#include <string>
#include <vector>
struct alignas(64) Wide {{ int v[16]; }};
static void *p;
__attribute__((noinline)) static void make(void) {{ p = {make}; }}
__attribute__((noinline)) static void drop(void) {{ {drop}; }}
__attribute__((constructor)) static void init(void) {{ make(); }}
""", "step(0); static_cast<int *>(p)[1] = 1; step(1);", "step(2); static_cast<int *>(p)[1] = 2; step(3);")
                text = text.replace("#include <stdatomic.h>\n", "").replace("#include <threads.h>\n", "")
                text = text.replace("return 0; }", "drop(); return 0; }")
                with self.subTest(compiler=compiler, name=name):
                    _, (race,) = self.findings(self.build(name, text, compiler, command="c++"))
                    self.assertEqual(race["memory"]["place"], "heap")
                    names = [frame["function"] for frame in race["memory"]["allocated_at"]]
                    self.assertIn("make", [n.split("(")[0] for n in names if n], names)

    def test_the_program_s_line_of_a_delete(self):
        text = two("static int *p = new int[10];", "step(0); delete[] p; step(1);", "step(2); p[1] = 2;")
        text = text.replace("#include <stdatomic.h>\n", "").replace("#include <threads.h>\n", "")
        for compiler in COMPILERS:
            _, races = self.findings(self.build("deleted", text, compiler, command="c++"))
            self.assertEqual([race["rule"] for race in races], ["use-after-free-race"])
            (free,) = [e for e in races[0]["events"] if e["what"] == "free"]
            self.assertTrue(free["stack"][0]["function"].startswith("a"), free["stack"])

    def test_without_detect_run_too(self):
        program = self.build("alone", two("static int v;", "step(0); v++; step(1);", "step(2); v++;"))
        done = subprocess.run([program], stderr=subprocess.PIPE, timeout=60)
        self.assertIn(b"data-race", done.stderr)
        self.assertEqual(done.returncode, 0)

    def test_one_flag_switches_it_off(self):
        program = self.build("off", two("static int v;", "step(0); v++; step(1);", "step(2); v++;"))
        self.assertEqual(self.findings(program, "races=no", status=0)[1], [])

    def test_a_program_has_its_own_shortest_path_and_works_without(self):
        text = two("static int v;", "step(0); v++; step(1);", "step(2); v++;")
        names = lambda program: subprocess.run(["nm", program], stdout=subprocess.PIPE, check=True, text=True).stdout
        own = self.build("own", text)
        self.assertRegex(names(own), r"(?m)^[0-9a-f]+ t __tsan_write4$")
        # Linked by hand, with the shim alone.
        by_hand, o = self.folder / "by-hand", self.folder / "by-hand.o"
        self.detect("cc", "-g", "-O1", "-I", pathlib.Path(__file__).parents[2] / "libdetect/include", "-c", self.folder / "own.c", "-o", o)
        subprocess.run([COMPILERS[0], o, os.environ["DETECT_PRELOAD"], "-pthread", "-o", by_hand], check=True)
        self.assertRegex(names(by_hand), r"(?m)^ +U __tsan_write4")
        for program in (own, by_hand):
            self.assertEqual([f["rule"] for f in self.findings(program)[1]], ["data-race"])

    def test_no_address_space(self):
        program = self.build("small", HEAD + "int main(void) { int *p = malloc(4); *p = 1; return *p - 1; }")
        done = subprocess.run(["sh", "-c", f"ulimit -v 4000000; exec {program}"], stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"ulimit -v", done.stderr)

    def test_many_short_threads_and_many_at_once(self):
        text = HEAD + """
static int v[1000];
static void *one(void *x) { *(int *)x += 1; return NULL; }
static pthread_barrier_t r;
static void *wait_too(void *x) { pthread_barrier_wait(&r); *(int *)x += 1; return NULL; }
int main(void)
{
	static pthread_t t[1000];
	for (int i = 0; i < 1000; i++) { pthread_create(t, NULL, one, &v[i % 1000]); pthread_join(t[0], NULL); }
	pthread_barrier_init(&r, NULL, 300);
	for (int i = 0; i < 300; i++) if (pthread_create(&t[i], NULL, wait_too, &v[i])) abort();
	for (int i = 0; i < 300; i++) pthread_join(t[i], NULL);
	return 0;
}
"""
        self.assertEqual(self.findings(self.build("many", text), status=0)[1], [])

    def test_fork_goes_on(self):
        text = HEAD + """
#include <sys/wait.h>
static int v;
static void *a(void *x) { (void)x; v++; return NULL; }
int main(void)
{
	pthread_t t;
	pthread_create(&t, NULL, a, NULL);
	pthread_join(t, NULL);
	if (fork() == 0) { v++; pthread_create(&t, NULL, a, NULL); pthread_join(t, NULL); v++; exit(0); }
	int status;
	wait(&status);
	return status;
}
"""
        self.assertEqual(self.findings(self.build("forks", text), status=0)[1], [])

    def test_cxx(self):
        text = """
#include <thread>
#include <mutex>
#include <atomic>
#include <vector>
struct Thing { int v; Thing() : v(1) {} };
static Thing &thing() { static Thing t; return t; }
static int sum, racy;
static std::mutex m;
int main(int argc, char **argv)
{
	std::vector<std::thread> all;
	for (int i = 0; i < 4; i++)
		all.emplace_back([=] { std::lock_guard<std::mutex> l(m); sum += thing().v; });
	for (auto &t : all) t.join();
	if (argc > 1) { std::thread x([] { racy++; }); racy++; x.join(); }
	return sum - 4;
}
"""
        for compiler in COMPILERS:
            program = self.build("cxx", text, compiler, command="c++")
            self.assertEqual(self.findings(program, status=0)[1], [])


    def test_atomics_that_a_library_does(self):
        """Of 16 bytes clang calls libatomic, of 24 both: order as by any other, and a race where there is none."""
        text = """
#include <atomic>
#include <cstring>
#include <thread>
template <int n> struct Words { long v[n]; };
template <int n> static void publish(bool relaxed)
{
	static std::atomic<Words<n>> shared;
	static int v;
	std::memory_order stored = relaxed ? std::memory_order_relaxed : std::memory_order_release;
	std::thread a([&] { v = 1; shared.store({{1}}, stored); });
	std::thread b([] { Words<n> seen; do { seen = shared.load(std::memory_order_acquire); } while (!seen.v[0]); v++;
	                   Words<n> next = {{2}}; while (!shared.compare_exchange_weak(seen, next)); shared.exchange(next); });
	a.join();
	b.join();
}
int main(int argc, char **argv)
{
	bool wide = argc > 1 && strchr(argv[1], 'w'), relaxed = argc > 1 && strchr(argv[1], 'r');
	wide ? publish<3>(relaxed) : publish<2>(relaxed);
	return 0;
}
"""
        for compiler in ALL_COMPILERS:
            program = self.build("large", text, compiler, command="c++", flags=("-std=c++17",))
            for argument, expected in (("", set()), ("w", set()), ("r", {"data-race"}), ("wr", {"data-race"})):
                with self.subTest(compiler=compiler, argument=argument):
                    done, races = self.findings(program, arguments=[argument])
                    self.assertEqual({race["rule"] for race in races}, expected, done.stderr.decode())


class Names(RaceCase):
    """What a report says of the memory, the places, the threads and the locks: by each compiler, at each level."""

    TEXT = """
#include <pthread.h>
struct pair { int a, b; };
struct stats { long hits; struct { int errors, count; struct pair p[3]; } inner; };
struct stats stats, *heap, *of_thread, *of_main;
int table[10];
static atomic_int flag;
static _Thread_local int mine;
static int *theirs;
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER, n = PTHREAD_MUTEX_INITIALIZER;
__attribute__((noinline)) static void keep(void *p) { __asm__ volatile("" : : "r"(p) : "memory"); }
__attribute__((noinline)) static void count_calls(void) { static long calls; calls++; keep(&calls); }
__attribute__((noinline)) static struct stats *make(void) { return calloc(1, sizeof(struct stats)); }
__attribute__((noinline)) static void all(bool second)
{
	stats.inner.p[1].b++;
	table[7]++;
	heap->inner.count++;
	of_thread->inner.errors++;
	of_main->hits++;
	*theirs = 1;
	count_calls();
	if (second) atomic_store(&flag, 1); else *(volatile int *)&flag = 2;
	keep(&flag);
}
static void *first(void *x)
{
	struct stats other, local; /* as they are: what writes them here would race, too */
	of_thread = &local;
	theirs = &mine;
	keep(&other);
	step(0);
	pthread_mutex_lock(&m); all(false); pthread_mutex_unlock(&m);
	step(1); step(4);
	return x;
}
static void *second(void *x) { step(2); pthread_mutex_lock(&n); all(true); pthread_mutex_unlock(&n); step(3); return x; }
__attribute__((noinline)) static void start(pthread_t t[2])
{
	pthread_create(&t[0], NULL, first, NULL);
	pthread_setname_np(t[0], "one");
	pthread_create(&t[1], NULL, second, NULL);
}
int main(void)
{
	struct stats own = {0};
	pthread_t t[2];
	heap = make();
	of_main = &own;
	start(t);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	return 0;
}
"""
    # name: place
    WANTED = {
        "stats.inner.p[1].b": "global", "table[7]": "global", "stats.inner.count": "heap",
        "local.inner.errors (local in first)": "stack", "own.hits (local in main)": "stack",
        "mine": "thread-local", "calls (static in count_calls)": "global", "flag": "global",
    }

    def test_each_by_each_compiler(self):
        for compiler in COMPILERS:
            for level in ("-O0", "-O1", "-O2"):
                with self.subTest(compiler=compiler, level=level):
                    self.check(compiler, level)

    def check(self, compiler, level):
        program = self.build("names", HEAD + self.TEXT, compiler, flags=(level,))
        _, races = self.findings(program)
        by_name = {race["memory"]["name"]: race for race in races}
        # The pointers themselves are written while the other thread runs already.
        self.assertEqual({name: by_name[name]["memory"]["place"] for name in by_name if name not in ("of_thread", "theirs")},
                         self.WANTED)
        self.assertEqual(len({race["fingerprint"] for race in races}), len(races))
        for name in self.WANTED:
            self.check_sides(by_name[name], name)
        self.assertIn("make", [frame["function"] for frame in by_name["stats.inner.count"]["memory"]["allocated_at"]])
        owner = next(t for t in by_name["mine"]["threads"] if t["name"] == "one")
        self.assertIn("one", by_name["mine"]["memory"]["origin"], owner)
        self.assertIn("one is atomic, the other is not", by_name["flag"]["message"])
        self.assertEqual(sorted(e["what"] for e in by_name["flag"]["events"] if e["what"].startswith(("atomic", "write", "read"))),
                         ["atomic-write", "write"])

    def check_sides(self, race, name):
        """Each access: function, line and column of it and of its caller, the lock that it held and where that was acquired."""
        threads = {t["id"]: t for t in race["threads"]}
        locks = {lock["id"]: lock["name"] for lock in race["locks"]}
        accesses = [e for e in race["events"] if e["what"] in ("read", "write", "atomic-write")]
        self.assertEqual(len(accesses), 2)
        held = {}
        for access in accesses:
            functions = [frame["function"] for frame in access["stack"]]
            start = threads[access["thread"]]["start"]
            self.assertEqual(functions[:3] if functions[0] == "count_calls" else functions[:2],
                             ["count_calls", "all", start] if functions[0] == "count_calls" else ["all", start], name)
            for frame in access["stack"][:2]:
                self.assertTrue(frame["line"] and frame["column"], frame)
            self.assertEqual([f["function"] for f in threads[access["thread"]]["created_at"]][:2], ["start", "main"])
            held[start] = [locks[at] for at in access["holding"]]
            acquired = [e for e in race["events"] if e["what"] == "hold" and e["thread"] == access["thread"]]
            self.assertEqual([e["stack"][0]["function"] for e in acquired], [start])
            self.assertTrue(acquired[0]["stack"][0]["line"])
        self.assertEqual(held, {"first": ["m"], "second": ["n"]})

    MUCH = ("static long much[1 << 18]; __attribute__((noinline)) static void work(void) { for (int i = 0; i < 1 << 18; i++) much[i]++; }"
            "static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; long total;"
            "__attribute__((noinline)) static void add(void) { total++; __asm__ volatile(\"\"); }")

    def test_lost_history_is_said_and_the_place_is_named_still(self):
        """The first thread's accesses since are many times its history."""
        text = two(self.MUCH, "step(0); pthread_mutex_lock(&m); add(); pthread_mutex_unlock(&m); work(); step(1);", "step(2); add();")
        for compiler in COMPILERS:
            program = self.build("lost", text, compiler)
            for history, lost in (("2", True), ("16", True), ("200", False)):
                with self.subTest(compiler=compiler, history=history):
                    _, (race,) = self.findings(program, f"race_history={history}")
                    old = race["events"][-1]
                    self.assertEqual(old.get("forgotten", False), lost)
                    self.assertEqual([f["function"] for f in old["stack"]][:2], ["add"] if lost else ["add", "a"])
                    self.assertTrue(old["stack"][0]["line"] and old["stack"][0]["column"])
                    self.assertEqual(len(old["holding"]), 0 if lost else 1)
                    self.assertEqual([t["start"] for t in race["threads"] if t["id"] == old["thread"]], ["a"])
            report = self.detect("run", "--", program, env={"DETECT_OPTIONS": "race_history=2"}).stderr.decode()
            self.assertIn("holding what is no longer known, here:", report)
            self.assertIn("older than what is kept", report)

    def test_lost_history_is_not_guessed(self):
        """Two places may have left the cell: neither is named."""
        text = two(self.MUCH + "long row[3]; __attribute__((noinline)) static void set(int i) { row[i] = i; __asm__ volatile(\"\"); }"
                   "__attribute__((noinline)) static void set_too(int i) { row[i] = i; __asm__ volatile(\"\"); }"
                   "static void between(void) { pthread_mutex_lock(&m); pthread_mutex_unlock(&m); }",
                   "step(0); set(0); between(); set_too(1); between(); set(2); work(); step(1);", "step(2); row[1] = 5;")
        program = self.build("either", text)
        _, (race,) = self.findings(program, "race_history=2")
        old = race["events"][-1]
        self.assertEqual((old["stack"], old["forgotten"]), ([], True))
        report = self.detect("run", "--", program, env={"DETECT_OPTIONS": "race_history=2"}).stderr.decode()
        self.assertIn("Another thread", report)
        self.assertIn("(no stack was kept)", report)

    def test_elements_of_an_array_are_one_bug(self):
        """Which element it was is chance: the fingerprint is the same, and another array's is not."""
        seen = set()
        for element in (3, 5):
            text = two("int table[10], others[10]; static volatile int n = %d;" % element, "step(0); table[n]++; others[n]++; step(1);",
                       "step(2); table[n]++; others[n]++; step(3);")
            _, races = self.findings(self.build(f"elements{element}", text))
            self.assertEqual({race["memory"]["name"] for race in races}, {f"table[{element}]", f"others[{element}]"})
            seen |= {race["fingerprint"] for race in races}
        self.assertEqual(len(seen), 2)


class Driver(RaceCase):
    def test_separate_steps(self):
        source = self.write("x.c", two("static int v;", "step(0); v++; step(1);", "step(2); v++;"))
        include = pathlib.Path(__file__).parent / "../../libdetect/include"
        self.assertEqual(self.detect("cc", "-I", include, "-c", "-g", source, "-o", "x.o").returncode, 0)
        self.assertEqual(self.detect("cc", "-fsanitize=thread", "x.o", "-o", "x").returncode, 0)
        needed = subprocess.run(["ldd", self.folder / "x"], stdout=subprocess.PIPE).stdout
        self.assertIn(b"libdetect_preload", needed)
        self.assertNotIn(b"libtsan", needed)
        self.assertEqual(len(self.findings(self.folder / "x")[1]), 1)

    def test_named_to_make(self):
        """make and configure give CC to all that they call: the compiler that detect cc calls is not itself again."""
        source = self.write("x.c", two("static int v;", "step(0); v++; step(1);", "step(2); v++;"))
        include = pathlib.Path(__file__).parent / "../../libdetect/include"
        self.write("compiler", f'#!/bin/sh\nexec "{DETECT}" cc "$@"\n').chmod(0o755)
        for name in (f"{DETECT} cc", str(self.folder / "compiler")):
            for arguments in (["-g", "-I", include, source, "-o", "x"], ["-g", "-I", include, "-c", source, "-o", "x.o"], ["x.o", "-o", "x"]):
                done = self.detect("cc", *arguments, env={"CC": name})
                self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(self.findings(self.folder / "x")[1]), 1)
        for compiler in COMPILERS:
            done = self.detect("cc", "-dM", "-E", "-x", "c", "/dev/null", env={"CC": f"{DETECT} cc", "DETECT_CC": compiler})
            self.assertEqual(b"__clang__" in done.stdout, compiler == "clang")
        self.assert_line(self.detect("cc", "x.o", env={"DETECT_CC": f"{DETECT} cc"}), 2, "leads back")

    def test_optimised_at_link_time(self):
        """gcc would leave the program unwatched, and say nothing."""
        text = two("int v;", "step(0); v++; step(1);", "step(2); v++;")
        for compiler in COMPILERS:
            self.assertEqual(len(self.findings(self.build("lto", text, compiler, flags=("-flto",)))[1]), 1, compiler)
        self.assertIn(b"-flto is left out", self.detect("cc", "-flto", "lto.c", "-I", pathlib.Path(__file__).parents[2] / "libdetect/include",
                                                        "-o", "lto").stderr)

    def test_errors(self):
        self.assert_line(self.detect("cc"), 2, "--help")
        self.assert_line(self.detect("cc", "x.o", "-static"), 2, "-static")
        self.assertNotEqual(self.detect("cc", "missing.c").returncode, 0)


if __name__ == "__main__":
    unittest.main()
