"""Every output format, from every lesson and from hostile names, checked by what others wrote: the SARIF and
JUnit schemas, xmllint, junitparser, a Markdown renderer, and Helgrind's own XML.

DETECT_SAMPLES is the folder of the built lessons (ctest sets it).
"""

import gzip
import html.parser
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest
import urllib.parse
import xml.etree.ElementTree as ElementTree

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's modules, where python3 is not Debian's
import jsonschema
import junitparser

import dtlog
from detect_case import DETECT, ROOT, DetectCase

SCHEMAS = pathlib.Path(__file__).resolve().parent / "schemas"
SAMPLES = pathlib.Path(os.environ.get("DETECT_SAMPLES") or pathlib.Path(DETECT).parent.parent / "samples")
PROGRAMS = pathlib.Path(os.environ.get("DETECT_PROGRAMS") or pathlib.Path(DETECT).parent.parent / "tests/e2e/programs")
FORMATS = ("text", "json", "html", "sarif", "junit", "valgrind", "gitlab", "github", "markdown")
LEVELS = ("error", "warning", "note")

# Quotes, tags, entities, ends of CDATA and comments, Markdown, workflow commands, links, a terminal's escapes,
# line ends, a direction override, a character that XML forbids, invalid UTF-8.
HOSTILE = (b"\"'<script>alert(1)</script>&amp;]]>--> `x` ``` **b** | [a](1) ![i](http://e/) www.example.com "
           b"::error::x\r\n::stop-commands::y\n%0A{0} $(id) \x1b[31m\x07\xe2\x80\xae\xef\xbf\xbf\xff\xc3\x28")


class Schema:
    """The SARIF schema, read once."""
    validator = None

    @classmethod
    def errors(cls, document):
        if not cls.validator:
            cls.validator = jsonschema.Draft4Validator(json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text()))
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
                for error in cls.validator.iter_errors(document)]


def printable(text):
    """No control character, direction override or noncharacter is left in it (line ends may be)."""
    return not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]", text)


def visible(text):
    """As safe.h makes it, for what the JSON has."""
    return re.sub("[\x00-\x1f\x7f]", lambda match: f"\\x{ord(match[0]):02X}", text)


class FormatCase(DetectCase):
    maxDiff = None

    def report(self, form, *args, env=None, status=None):
        """The report of logs in one format, as text."""
        done = self.detect("report", "-f", form, *args, env=env)
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(done.returncode, (0, 66), done.stderr)
        return done.stdout.decode("utf-8", "strict")

    # One checker a format; each gets the report and the same findings as our JSON has them.

    def check_text(self, text, findings):
        self.assertRegex(text.splitlines()[-1], r"^SUMMARY: libdetect: \d+ errors?, \d+ warnings?, \d+ notes?.*\)$")
        for finding in findings:
            self.assertEqual(finding["fingerprint"] in text, not finding["known"])

    def check_json(self, text, findings):
        self.assertEqual(json.loads(text)["findings"], findings)

    def check_sarif(self, text, findings):
        document = json.loads(text)
        self.assertEqual(Schema.errors(document), [])
        (run,) = document["runs"]
        rules = run["tool"]["driver"]["rules"]
        self.assertEqual(len(run["results"]), len(findings))
        for rule in rules:
            self.assertTrue(rule["help"]["text"] and rule["shortDescription"]["text"])
            self.assertLessEqual(len(rule["properties"]["tags"]), 10)
        for result, finding in zip(run["results"], findings):
            self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
            self.assertEqual((result["ruleId"], result["level"]), (finding["rule"], finding["level"]))
            self.assertEqual(result["partialFingerprints"]["libdetect/v1"], finding["fingerprint"])
            self.check_sarif_places(result, finding)

    def check_sarif_places(self, result, finding):
        """What GitHub's code scanning needs: a file and a line, relative to the checkout where it is in it."""
        related = result.get("relatedLocations", [])
        flows = [step["location"] for flow in result.get("codeFlows", [])
                 for thread in flow["threadFlows"] for step in thread["locations"]]
        for location in result["locations"] + related + flows:
            place = location["physicalLocation"]
            uri = place["artifactLocation"]["uri"]
            self.assertGreaterEqual(place["region"]["startLine"], 1)
            self.assertRegex(uri, r"^[A-Za-z0-9._~/%:-]+$")
            parts = urllib.parse.urlsplit(uri)
            self.assertIn(parts.scheme, ("", "file"))
            if "uriBaseId" in place["artifactLocation"]:
                self.assertEqual(parts.scheme, "")
                self.assertFalse(uri.startswith("/"))
        self.assertEqual(len(result["locations"]), 1)
        self.assertLessEqual(len(related), 100)
        self.assertLessEqual(len(flows), 1000)
        # Links of the message go to related locations that are there, and there is no other link.
        targets = re.findall(r"(?<!\\)\]\(([^)]*)\)", result["message"]["text"])
        self.assertEqual([int(target) for target in targets], [location["id"] for location in related])
        if finding["events"]:
            threads = [thread["id"] for thread in result["codeFlows"][0]["threadFlows"]]
            acting = list(dict.fromkeys(str(event["thread"]) for event in finding["events"]))
            self.assertEqual(threads, acting)

    def check_junit(self, text, findings):
        path = self.write("junit.xml", text)
        done = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", SCHEMAS / "jenkins-junit.xsd", path],
                              stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        (suite,) = junitparser.JUnitXml.fromfile(str(path))
        failed = [case for case in suite if any(isinstance(result, junitparser.Failure) for result in case.result)]
        bad = [finding for finding in findings if finding["level"] != "note" and not finding["known"]]
        self.assertEqual((len(failed), suite.failures), (len(bad), len(bad)))
        self.assertEqual(suite.tests, len(list(suite)))
        self.assertGreater(suite.tests, 0)
        self.assertEqual([result.type for case in failed for result in case.result], [finding["rule"] for finding in bad])
        names = [(case.classname, case.name) for case in suite]
        self.assertEqual(len(set(names)), len(names))

    def check_valgrind(self, text, findings):
        path = self.write("valgrind.xml", text)
        subprocess.run(["xmllint", "--noout", "--nonet", path], check=True)
        root = ElementTree.fromstring(text)
        self.assertEqual(root.findtext("protocolversion"), "4")
        self.assertEqual(root.findtext("protocoltool"), "helgrind")
        shown = [finding for finding in findings if not finding["known"]]
        errors = root.findall("error")
        self.assertEqual(len(errors), len(shown))
        self.assertEqual([int(pair.findtext("count")) for pair in root.findall("errorcounts/pair")],
                         [finding["count"] for finding in shown])
        announced = set()
        for element in root:
            if element.tag == "announcethread":
                announced.add(element.findtext("hthreadid"))
            elif element.tag == "error":
                self.check_valgrind_error(element, announced)
        return root

    def check_valgrind_error(self, error, announced):
        # The kinds that Helgrind has; readers refuse others.
        self.assertIn(error.findtext("kind"),
                      ("Race", "UnlockUnlocked", "UnlockForeign", "UnlockBogus", "PthAPIerror", "LockOrder", "Misc"))
        int(error.findtext("unique"), 16)
        # A reader pairs texts with stacks by their order: one text and its stack, then more of such.
        order = [child.tag for child in error][3:]
        self.assertIn(order[0], ("xwhat", "what"))
        self.assertEqual(order[1::2], ["stack"] * (len(order) // 2))
        self.assertEqual(set(order[2::2]) - {"xauxwhat"}, set())
        for thread in error.iter("hthreadid"):
            self.assertIn(thread.text, announced)
        for stack in error.iter("stack"):
            self.assertTrue(stack.findall("frame"))

    def check_gitlab(self, text, findings):
        entries = json.loads(text)
        fingerprints = list(dict.fromkeys(finding["fingerprint"] for finding in findings))
        self.assertEqual([entry["fingerprint"] for entry in entries], fingerprints)
        for entry in entries:
            self.assertIn(entry["severity"], ("info", "minor", "major", "critical", "blocker"))
            self.assertTrue(entry["description"] and entry["check_name"] and entry["location"]["path"])
            self.assertFalse(entry["location"]["path"].startswith("./"))
            self.assertGreaterEqual(entry["location"]["lines"]["begin"], 1)

    def check_github(self, text, findings):
        """Read as the runner does: a line is a command or it is not."""
        lines = text.split("\n")
        self.assertEqual(lines.pop(), "")
        self.assertRegex(lines.pop(), r"^SUMMARY: libdetect: ")
        shown = [finding for finding in findings if not finding["known"]]
        self.assertEqual(len(lines), len(shown))
        for line, finding in zip(lines, shown):
            command = re.match(r"^::(error|warning|notice) ((?:\w+=[^,:]*)(?:,\w+=[^,:]*)*)::(.*)$", line)
            self.assertTrue(command, line)
            self.assertEqual(command[1].replace("notice", "note"), finding["level"])
            properties = dict(pair.split("=", 1) for pair in command[2].split(","))
            self.assertTrue({"file", "title"} <= set(properties) <= {"file", "line", "col", "title"})
            self.assertIn(finding["rule"], urllib.parse.unquote(properties["title"]))
            self.assertNotRegex(command[3], r"%(?!25|0A|0D)")

    def check_markdown(self, text, findings):
        """Render it, and look at what elements came of it: ours, and no more."""
        done = subprocess.run(["cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough"],
                              input=text.encode(), stdout=subprocess.PIPE, check=True)
        page = Elements()
        page.feed(done.stdout.decode())
        self.assertEqual(page.names - {"h2", "table", "thead", "tbody", "tr", "th", "td", "code", "p", "pre", "ul", "li",
                                       "details", "summary"}, set())
        self.assertEqual(page.rows, len(findings) + bool(findings))
        self.assertEqual(page.attributes - {("class", "language-text"), ("lang", "text")}, set())
        self.assertRegex(text.rstrip("\n").splitlines()[-1], r"^SUMMARY: libdetect: ")
        for finding in findings:
            self.assertIn(finding["rule"], page.text)
            name = (finding.get("memory") or finding["locks"][0])["name"]
            if name.isascii() and "`" not in name:  # then each character of it can be read
                self.assertGreaterEqual(page.words().count(" ".join(visible(name).split())), 1 + (not finding["known"]))

    def check_html(self, text, findings):
        """The document has the elements of the empty page and no more; all else is in its block of data. (test_html.py looks
        at it in a browser.)"""
        page = Elements()
        page.feed(text)
        self.assertEqual(page.names, {"html", "head", "meta", "title", "style", "body", "p", "code", "header", "h1", "span", "button",
                                      "div", "main", "script"})
        (block,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
        self.assertFalse(set("<>&") & set(block))
        self.assertTrue(block.isascii())
        data = json.loads(block)
        self.assertEqual([it["fingerprint"] for it in data["findings"]], [finding["fingerprint"] for finding in findings])
        self.assertEqual([it["message"] for it in data["findings"]], [finding["message"] for finding in findings])
        for it, finding in zip(data["findings"], findings):
            for ours, theirs in zip(it["events"], finding["events"]):
                frames = [data["frames"][frame] for frame in data["stacks"][ours["stack"]] if frame is not None] if theirs["stack"] else []
                self.assertEqual([(frame[0], frame[2]) for frame in frames],
                                 [(frame["function"], frame["line"] or 0) for frame in theirs["stack"]])

    def check_all(self, *args, env=None):
        """Every format of these logs, from one command; gives the findings."""
        options = [f"--format={form}:out.{form}" for form in FORMATS[1:]]
        texts = {"text": self.report("text", *options, *args, env=env)}
        for form in FORMATS[1:]:
            texts[form] = (self.folder / f"out.{form}").read_bytes().decode("utf-8", "strict")
        findings = json.loads(texts["json"])["findings"]
        for form, text in texts.items():
            with self.subTest(format=form, args=args):
                if form != "json":
                    self.assertTrue(printable(text.replace("\t", "") if form == "html" else text), form)  # the page's own
                getattr(self, "check_" + form)(text, findings)
        return findings


class Elements(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.attributes, self.rows, self.text = set(), set(), 0, ""

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        self.attributes |= set(attributes)
        self.rows += tag == "tr"

    def handle_data(self, data):
        self.text += data

    def words(self):
        return " ".join(self.text.split())


class Samples(FormatCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = sorted(SAMPLES.glob("*-bug"))

    def test_every_lesson_in_every_format(self):
        self.assertGreater(len(self.programs), 10)
        rules = set()
        for program in self.programs:
            with self.subTest(program=program.name):
                logs = self.folder / program.name
                self.detect("run", "--on-deadlock=exit", "-o", logs, "-r", "/dev/null", "--", program)
                found = self.check_all(logs, env={"GITHUB_WORKSPACE": str(ROOT)})
                rules |= {finding["rule"] for finding in found}
        self.assertGreaterEqual(rules, {"lock-order-cycle", "wait-while-holding", "deadlock", "stall", "destroy-locked"})

    def test_fixed_lesson(self):
        """The negative twin: nothing found, and every format still a whole document."""
        logs = self.folder / "logs"
        self.detect("run", "-o", logs, "-r", "/dev/null", "--", SAMPLES / "bank-transfer-fix")
        self.assertEqual(self.check_all(logs), [])
        (suite,) = junitparser.JUnitXml.fromfile(str(self.write("x.xml", self.report("junit", logs, status=0))))
        self.assertEqual([(case.classname, case.name, case.result) for case in suite],
                         [("bank-transfer-fix", "no findings", [])])

    def test_paths_are_relative_to_the_checkout(self):
        logs = self.folder / "logs"
        self.detect("run", "-o", logs, "-r", "/dev/null", "--", SAMPLES / "bank-transfer-bug")
        place = "samples/bank-transfer/bug.c"
        line = next(number for number, text in enumerate((ROOT / place).read_text().splitlines(), 1)
                    if "lock(&to->lock)" in text.replace("pthread_mutex_", ""))
        for root, wanted in ((ROOT, place), (ROOT / "samples", "bank-transfer/bug.c"), ("/nowhere", str(ROOT / place))):
            with self.subTest(root=root):
                (entry,) = json.loads(self.report("gitlab", "--source-root", root, logs))
                self.assertEqual((entry["location"]["path"], entry["location"]["lines"]["begin"]), (wanted, line))
        (entry,) = json.loads(self.report("gitlab", logs, env={"CI_PROJECT_DIR": str(ROOT), "GITHUB_WORKSPACE": ""}))
        self.assertEqual(entry["location"]["path"], place)
        for form in ("junit", "markdown"):
            self.assertIn(f" at {place}:{line}:", self.report(form, logs, env={"GITHUB_WORKSPACE": str(ROOT)}))
        self.assertIn(f" at {ROOT / place}:{line}:", self.report("text", logs))
        self.assertIn(f" at {place}:{line}:", self.report("text", "--strip-path-prefix", ROOT, logs))
        command = self.report("github", logs, env={"GITHUB_WORKSPACE": str(ROOT)})
        self.assertTrue(command.startswith(f"::warning file={place},line={line},col="), command)

    def test_compiled_by_a_relative_path(self):
        """As Meson and makefiles of a build folder do: cc ../src/bug.c"""
        for debug in ("-gdwarf-4", "-gdwarf-5"):
            with self.subTest(debug=debug):
                checkout, logs = self.folder / debug, self.folder / f"logs{debug}"
                for folder in ("src", "build", ".git"):
                    (checkout / folder).mkdir(parents=True)
                (checkout / "src/bug.c").write_text((ROOT / "samples/bank-transfer/bug.c").read_text())
                (checkout / "lesson.h").write_text((ROOT / "samples/lesson.h").read_text())
                subprocess.run(["gcc", debug, "-O1", "-pthread", "../src/bug.c", "-o", "bug"], check=True,
                               cwd=checkout / "build")
                self.detect("run", "-o", logs, "-r", "/dev/null", "--", checkout / "build/bug")
                (entry,) = json.loads(self.report("gitlab", logs, env={"GITHUB_WORKSPACE": str(checkout)}))
                self.assertEqual(entry["location"]["path"], "src/bug.c")

    def test_checkout_elsewhere(self):
        """Compiled in one folder, reported in another that has the same files."""
        logs, checkout = self.folder / "logs", self.folder / "checkout"
        self.detect("run", "-o", logs, "-r", "/dev/null", "--", SAMPLES / "bank-transfer-bug")
        (checkout / "bank-transfer").mkdir(parents=True)
        (checkout / "bank-transfer/bug.c").write_text("")
        (entry,) = json.loads(self.report("gitlab", "--source-root", checkout, logs))
        self.assertEqual(entry["location"]["path"], "bank-transfer/bug.c")


class Happened(FormatCase):
    """What the shim saw happen has other events than a cycle: waits, joins, releases, ends of threads."""

    CASES = (("deadlock", "two fifty upgrade-alone spin join-under-lock once lost-wakeup no-post barrier-of-too-many"),
             ("misuse", "unlock-twice unlock-others destroy-held destroy-waited-cond use-destroyed-mutex init-held "
                        "exit-holding two-mutexes-at-once wait-unlocked"))

    def test_every_format(self):
        logs = []
        for program, cases in self.CASES:
            for case in cases.split():
                logs.append(self.folder / case)
                self.detect("run", "--on-deadlock=exit", "-o", logs[-1], "-r", "/dev/null", "--", PROGRAMS / program, case)
        findings = self.check_all(*logs)
        rules = {finding["rule"] for finding in findings}
        self.assertGreaterEqual(rules, {"deadlock", "self-deadlock", "stall", "unlock-not-locked", "unlock-not-owner",
                                        "destroy-locked", "use-destroyed", "init-locked", "exit-holding-lock"})
        kinds = {event["what"] for finding in findings for event in finding["events"]}
        self.assertGreaterEqual(kinds, {"hold", "acquire", "wait", "unlock", "destroy", "use", "init", "exit"})
        root = ElementTree.fromstring(self.report("valgrind", *logs))
        self.assertGreaterEqual({error.findtext("kind") for error in root.findall("error")},
                                {"UnlockUnlocked", "UnlockForeign", "LockOrder", "Misc"})


class Helgrind(FormatCase):
    """Helgrind's own XML of the same bug has the same shape: no element of ours is where none of its is."""

    @staticmethod
    def shape(root):
        return {(parent.tag, child.tag) for parent in root.iter() for child in parent}

    def test_same_shape(self):
        path = self.folder / "helgrind.xml"
        program = SAMPLES / "bank-transfer-bug"
        subprocess.run(["valgrind", "--tool=helgrind", "--xml=yes", f"--xml-file={path}", program], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        theirs = ElementTree.parse(path).getroot()
        logs = self.folder / "logs"
        self.detect("run", "-o", logs, "-r", "/dev/null", "--", program)
        ours = ElementTree.fromstring(self.report("valgrind", logs))
        # Helgrind announces its root thread so where an error names it, which this program's do not.
        self.assertEqual(self.shape(ours) - self.shape(theirs) - {("announcethread", "isrootthread")}, set())
        self.assertEqual([child.tag for child in ours if child.tag not in ("announcethread", "error")],
                         [child.tag for child in theirs if child.tag not in ("announcethread", "error")])
        kinds = {error.findtext("kind") for error in theirs.findall("error")}
        self.assertEqual([error.findtext("kind") for error in ours.findall("error")], ["LockOrder"])
        self.assertIn("LockOrder", kinds)
        error = next(error for error in theirs.findall("error") if error.findtext("kind") == "LockOrder")
        self.assertEqual([child.tag for child in ours.find("error")][:5], [child.tag for child in error][:5])
        self.assertIn([child.tag for child in ours.find("error/stack/frame")],
                      [[child.tag for child in frame] for frame in error.iter("frame")])


class Hostile(FormatCase):
    def test_every_format(self):
        """Names of anything in every place that a log has for them."""
        program = b"/usr/bin/" + HOSTILE.replace(b"/", b"\\")
        self.write("hostile.dtlog", dtlog.inversion(program=program, names=(HOSTILE, HOSTILE[::-1])).bytes())
        (finding,) = self.check_all("hostile.dtlog")
        self.assertIn("<script>", finding["locks"][0]["name"])
        for form in ("junit", "valgrind"):
            self.assertIn("&lt;script&gt;", self.report(form, "hostile.dtlog"))
        self.assertIn("\\x1B[31m", self.report("markdown", "hostile.dtlog"))

    def test_each_character(self):
        """Each piece in names of its own, where the others can't hide it."""
        pieces = (b"`", b"``", b"a`b`c", b"|", b"\\|", b"\\", b"]]>", b"<!--", b"&#x0;", b"%", b"%0A", b"\n", b"\r\n",
                  b"::error::", b"[x](http://example.com)", b"](1)", b"{0}", b" ", b"  two ", b"\xff", b"\xed\xa0\x80",
                  b"\xef\xbf\xbe", b"\xe2\x80\xa8", b"\x01", b"*b*", b"_b_", b"~~s~~", b"<b>", b"https://example.com/",
                  b"a@example.com", b"#1", b"@user", b"</details>", b"</summary>", b"$x$", b"'", b'"')
        for number, piece in enumerate(pieces):
            log = dtlog.inversion(dtlog.Log(pid=100 + number), b"/usr/bin/%d" % number + piece.replace(b"/", b"\\"),
                                  names=(piece, b"x" + piece + b"y"))
            self.write(f"{number}.dtlog", log.bytes())
        self.assertEqual(len(self.check_all(".")), len(pieces))

    def test_no_stacks_no_modules(self):
        """Nothing but ids: each format still has a place to point at."""
        log = dtlog.Log()
        for thread in (1, 2):
            log.segment(thread, thread)
            log.thread(thread, thread)
        for lock in (1, 2):
            log.lock(lock, 64 * lock)
        for acq, (lock, parent, segment) in enumerate(((1, 0, 1), (2, 1, 1), (2, 0, 2), (1, 3, 2)), 1):
            log.acq(acq, lock, stack=0, parent=parent)
            log.sighting(acq, segment)
        self.write("bare", log.bytes())
        (finding,) = self.check_all("bare")
        self.assertEqual(finding["rule"], "lock-order-cycle")
        self.assertEqual(json.loads(self.report("gitlab", "bare"))[0]["location"]["path"], "unknown program")


class Choices(FormatCase):
    def setUp(self):
        super().setUp()
        self.write("log", dtlog.inversion().bytes())

    def test_known_findings_do_not_fail_a_job(self):
        baseline = self.write("baseline.json", self.report("json", "log"))
        self.check_all("--baseline", baseline, "log")
        self.assertNotIn("::warning", self.report("github", "--baseline", baseline, "log", status=0))
        (result,) = json.loads(self.report("sarif", "--baseline", baseline, "log"))["runs"][0]["results"]
        self.assertEqual(result["baselineState"], "unchanged")
        junit = self.report("junit", "--baseline", baseline, "log")
        self.assertIn("<skipped>known", junit)
        self.assertIn("(known)", self.report("markdown", "--baseline", baseline, "log"))

    def test_junit_fails_what_the_status_fails(self):
        for level, failures in (("note", 1), ("warning", 1), ("error", 0), ("never", 0)):
            done = self.detect("report", "-f", "junit", "--fail-on", level, "log")
            self.assertIn(b' failures="%d"' % failures, done.stdout)
            self.assertEqual(done.returncode, 66 if failures else 0)

    def test_suppressed_findings_are_in_no_format(self):
        rules = self.write("supp", "deadlock:bank\n")
        for form in FORMATS:
            text = self.report(form, "--suppressions", rules, "log", status=0)
            self.assertNotIn("16aba8a2", text, form)

    def test_summary_line(self):
        """For scripts, in every format: where the report doesn't end with it, stderr does."""
        for form in FORMATS:
            done = self.detect("report", "-f", form, "log")
            both = done.stdout + done.stderr
            self.assertEqual(both.count(b"SUMMARY: libdetect: 0 errors, 1 warning, 0 notes"), 1 + (form in ("junit", "html")), form)
        quiet = self.detect("report", "-q", "-f", "json", "log")
        self.assertNotIn(b"SUMMARY", quiet.stderr)
        done = self.detect("run", "-f", "sarif", "-r", "out.sarif", "--", "/bin/true")
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_more_reports_at_once(self):
        done = self.detect("report", "-f", "github", "-f", "sarif:out.sarif", "--format=junit:a:b.xml", "-f", "gitlab:-", "log")
        self.assertEqual(done.returncode, 66)
        self.assertEqual(done.stdout.decode(), self.report("github", "log") + self.report("gitlab", "log"))
        for name, form in (("out.sarif", "sarif"), ("a:b.xml", "junit")):
            self.assertEqual((self.folder / name).read_text(), self.report(form, "log"))
        with open(self.folder / "both", "wb") as both:
            subprocess.run([DETECT, "report", "-f", "github", "-f", "gitlab:-", "log"], cwd=self.folder, stdout=both,
                           stderr=subprocess.DEVNULL)
        self.assertEqual((self.folder / "both").read_bytes(), done.stdout)
        # A longer report of before leaves nothing behind; the main report stays text.
        self.write("out.sarif", "x" * 1_000_000)
        done = self.detect("run", "-f", "sarif:out.sarif", "-r", "out.txt", "--", SAMPLES / "bank-transfer-bug")
        self.assertEqual(len(json.loads((self.folder / "out.sarif").read_text())["runs"][0]["results"]), 1)
        self.assertIn("WARNING: lock-order-cycle", (self.folder / "out.txt").read_text())

    def test_wrong_further_reports(self):
        os.link(self.write("one", "earlier"), self.folder / "two")
        for args, words in ((["sarif:"], "names no file"), ([":x"], "none of: text"), (["xml:x"], "none of: text"),
                            (["sarif:/nowhere/x"], "/nowhere/x: No such file"), (["sarif:one", "junit:two"], "two: another report"),
                            (["sarif:one", "-r", "one"], "another report")):
            with self.subTest(args=args):
                options = [word if word in ("-r", "one") else f"--format={word}" for word in args]
                self.assert_line(self.detect("report", *options, "log"), 2, words)
                self.assert_line(self.detect("run", *options, "--", "touch", "ran"), 2, words)
        self.assertFalse((self.folder / "ran").exists())
        self.assertEqual((self.folder / "one").read_text(), "earlier")
        if os.path.exists("/dev/full"):
            done = self.detect("report", "-f", "sarif:/dev/full", "log")
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"--format=sarif: /dev/full: No space left", done.stderr)

    def test_names_that_users_of_valgrind_and_tsan_guess(self):
        wanted = self.report("valgrind", "log")
        for names in (["--xml"], ["--xml=yes"], ["--xml", "--log-file=-"], ["--xml=1"]):
            self.assertEqual(self.detect("report", *names, "log").stdout.decode(), wanted, names)
        for names in (["--xml-file=out"], ["--xml=yes", "--log-file=out"], ["--xml", "--log-path", "out"]):
            self.assertEqual(self.detect("report", *names, "log").stdout, b"")
            self.assertEqual((self.folder / "out").read_text(), wanted, names)
            (self.folder / "out").unlink()
        self.assertEqual(self.detect("report", "--error-exitcode=9", "log").returncode, 9)
        self.assertIn(b"lock-order-cycle in bank", self.detect("report", "--xml=no", "log").stdout)
        self.assert_line(self.detect("report", "--xml=maybe", "log"), 2, "--xml", "maybe")

    def test_switches_of_run_by_other_names(self):
        program = SAMPLES / "bank-transfer-bug"
        done = self.detect("run", "--num-callers=1", "--trace-children=no", "--error-exitcode=7", "--xml-file=out", "--", program)
        self.assertEqual(done.returncode, 7, done.stderr)
        stacks = [[frame.findtext("ip") for frame in stack]
                  for stack in ElementTree.parse(self.folder / "out").iterfind("error/stack")]
        # One frame a stack; what was inlined into it has the same address.
        self.assertTrue(stacks and all(len(set(stack)) == 1 for stack in stacks), stacks)
        for wrong in ("--num-callers=0", "--num-callers=129", "--trace-children=some", "--halt-on-error=x", "--abort-on-error=2"):
            self.assert_line(self.detect("run", wrong, "--", program), 2, wrong.split("=")[1])

    def test_filtered_candidates_are_for_people_only(self):
        self.write("one", dtlog.inversion(dtlog.Log()).bytes())
        for form in FORMATS[3:]:
            self.assertEqual(self.report(form, "log"), self.report(form, "--verbose", "log"), form)


class Many(FormatCase):
    """Bounds that others set: GitHub refuses larger SARIF files, and drops a larger job summary whole."""

    FINDINGS = 25_010

    def test_bounds(self):
        self.write("log", dtlog.many_findings(self.FINDINGS).bytes())
        done = self.detect("report", "-f", "sarif", "-r", "sarif", "log")
        self.assertIn(b"SARIF: 10 findings are left out", done.stderr)
        text = (self.folder / "sarif").read_bytes()
        self.assertLess(len(gzip.compress(text, 2)), 10_000_000)
        (run,) = json.loads(text)["runs"]
        self.assertEqual(len(run["results"]), 25_000)
        notes = [note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]]
        self.assertTrue(any(note.startswith("10 findings are left out") for note in notes), notes)
        for result in run["results"][::12_500]:
            document = {"version": "2.1.0", "runs": [{**run, "results": [result]}]}
            self.assertEqual(Schema.errors(document), [])

        markdown = self.report("markdown", "log")
        self.assertLess(len(markdown.encode()), 1 << 20)
        table = len(re.findall(r"^\| warning \|", markdown, re.M))
        self.assertIn(f"\n{self.FINDINGS - table} more findings are not in this table.\n", markdown)
        details = markdown.count("<details>")
        self.assertEqual(markdown.count("</details>"), details)
        self.assertIn(f"\nThe details of {self.FINDINGS - details} more findings are left out", markdown)

    def test_deep_stacks(self):
        """SARIF's second bound: bytes. Every finding is there, the last ones without their stacks."""
        count = 4500
        self.write("log", dtlog.many_findings(count, depth=100).bytes())
        self.detect("report", "-f", "sarif", "-r", "sarif", "log")
        text = (self.folder / "sarif").read_bytes()
        size = len(gzip.compress(text, 2))
        self.assertLess(size, 10_000_000)
        (run,) = json.loads(text)["runs"]
        whole = sum("stacks" in result for result in run["results"])
        self.assertEqual(len(run["results"]), count)
        self.assertTrue(0 < whole < count, (whole, size))
        notes = [note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]]
        self.assertTrue(any(note.startswith(f"{count - whole} results have no stacks") for note in notes), notes)


if __name__ == "__main__":
    unittest.main()
