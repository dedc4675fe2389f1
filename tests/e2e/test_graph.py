"""detect graph: DOT that Graphviz reads back with the names as they are, SVG, and its choices."""

import json
import os
import pathlib
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree

import dtlog
from detect_case import DETECT, DetectCase

SAMPLES = pathlib.Path(os.environ.get("DETECT_SAMPLES") or pathlib.Path(DETECT).parent.parent / "samples")
HOSTILE = b"\"];x->y;//'<b>&amp;&lt;\\N\\\\\\l{a|b}\x1b[31m\n\xff\xe2\x80\xae</svg>"


def chain(names=(b"teller", b"auditor"), program=b"/usr/bin/bank", pid=71):
    """The inversion of two locks, and a third lock that both threads' code reaches under them."""
    log = dtlog.inversion(dtlog.Log(pid=pid), names=names, program=program)
    log.lock(3, 0x404080, first=5)
    log.acq(5, lock=3, stack=5, parent=2)
    log.sighting(5, 2)
    return log


class Graph(DetectCase):
    def graph(self, *args):
        done = self.detect("graph", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode("utf-8", "strict")

    def parsed(self, *args):
        """(labels, edges as pairs of labels with their attributes) as Graphviz reads them."""
        done = subprocess.run(["dot", "-Tjson0"], input=self.graph(*args).encode(), stdout=subprocess.PIPE, check=True)
        graph = json.loads(done.stdout.decode("utf-8", "replace"))
        label = {item["_gvid"]: item.get("label") for item in graph.get("objects", []) if "nodes" not in item}
        return sorted(label.values()), {(label[edge["tail"]], label[edge["head"]]): edge
                                        for edge in graph.get("edges", [])}

    def test_lesson(self):
        logs = self.folder / "logs"
        self.detect("run", "-o", logs, "-r", "/dev/null", "--", SAMPLES / "bank-transfer-bug")
        locks, edges = self.parsed(logs)
        self.assertEqual(locks, ["accounts[0].lock", "accounts[1].lock"])
        self.assertEqual(sorted(edges), [tuple(locks), tuple(locks[::-1])])
        for edge in edges.values():
            self.assertEqual((edge["class"], edge["penwidth"]), ("lock-order-cycle", "2.5"))
            self.assertRegex(edge["tooltip"], r"^thread \d \(teller_(out|back)\): held since bug.c:\d+ in transfer, wanted at ")

    def test_fixed_lesson_has_no_cycle(self):
        logs = self.folder / "logs"
        self.detect("run", "-o", logs, "-r", "/dev/null", "--", SAMPLES / "bank-transfer-fix")
        _, edges = self.parsed(logs)
        self.assertEqual([edge.get("class") for edge in edges.values()], [None])
        self.assertEqual(self.parsed("--cycles-only", logs), ([], {}))

    def test_choices(self):
        self.write("log", chain().bytes())
        locks, edges = self.parsed("log")
        # bank+0x403000 is reached with both held; the edge from the outer one says nothing new.
        one, two, three = locks
        self.assertEqual(sorted(edges), [(one, two), (two, one), (two, three)])
        self.assertNotIn("penwidth", edges[two, three])
        self.assertEqual(sorted(self.parsed("--all-edges", "log")[1]), [(one, two), (one, three), (two, one), (two, three)])
        locks, edges = self.parsed("--cycles-only", "log")
        self.assertEqual((locks, sorted(edges)), ([one, two], [(one, two), (two, one)]))

    def test_several_processes(self):
        self.write("a.dtlog", chain().bytes())
        self.write("b.dtlog", chain(pid=72).bytes())
        text = self.graph("a.dtlog", "b.dtlog")
        self.assertIn('label="bank (pid 71)"', text)
        self.assertIn('label="bank (pid 72)"', text)
        self.assertEqual(text.count(" -> l"), 6)

    def test_svg(self):
        self.write("log", chain().bytes())
        path = self.folder / "graph.svg"
        self.assertEqual(self.graph("--format=svg", "-o", path, "log"), "")
        self.assertEqual(subprocess.run(["xmllint", "--noout", "--nonet", path]).returncode, 0)
        texts = "".join(ElementTree.parse(path).getroot().itertext())
        self.assertIn("mutex first locked at bank+0x1010", texts)

    def test_hostile_names(self):
        program = b"/usr/bin/" + HOSTILE.replace(b"/", b"|")
        self.write("log", chain(program=program, names=(HOSTILE, HOSTILE)).bytes())
        locks, edges = self.parsed("log")
        self.assertEqual((len(locks), len(edges)), (3, 3))
        seen = "\"];x->y;//'<b>&amp;&lt;\\N\\\\\\l{a|b}\\x1B[31m\\x0A\\xFF\\u{202E}"
        thread = next(iter(edges.values()))["tooltip"]
        self.assertIn("x->y", thread)
        # What Graphviz draws is what the program wrote, with the invisible made visible.
        texts = "".join(ElementTree.fromstring(self.graph("-f", "svg", "log")).itertext()).replace("\xa0", " ")
        self.assertIn(seen.replace("/", "|"), texts)
        self.assertIn(seen, texts)

    def test_errors(self):
        self.write("log", chain().bytes())
        self.assert_line(self.detect("graph"), 2, "which LOG")
        self.assert_line(self.detect("graph", "-f", "png", "log"), 2, "--format", "png", "dot, svg")
        self.assert_line(self.detect("graph", "nowhere"), 2, "nowhere")
        done = self.detect("graph", "-f", "svg", "log", env={"PATH": "/nowhere"})
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"no 'dot' in $PATH", done.stderr)
        done = self.detect("graph", "-o", "no/such/folder", "log")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"--output: no/such/folder: No such file", done.stderr)


if __name__ == "__main__":
    unittest.main()
