"""What is between processes: lock orders through shared memory, and what puts processes in order."""
import unittest

from detect_e2e import acting_threads, run_bare, run_detect


class Between(unittest.TestCase):
    def found(self, symbol, name, rule="lock-order-cycle"):
        return [f for f in run_detect("between", symbol, name, timeout=30).report["findings"] if f["rule"] == rule]

    def expect_wait(self, symbol, name):
        (finding,) = self.found(symbol, name, "wait-while-holding")
        self.assertEqual(finding["level"], "warning")

    def expect_no_wait(self, symbol, name):
        self.assertEqual(self.found(symbol, name, "wait-while-holding"), [])

    def expect_held_at_exit(self, symbol, name):
        (finding,) = self.found(symbol, name, "exit-holding-lock")
        self.assertIn("in end_holding", finding["locks"][0]["name"])

    def expect_nothing(self, symbol, name):
        self.assertEqual(run_detect("between", symbol, name, timeout=30).report["findings"], [])

    def expect_none(self, symbol, name):
        self.assertEqual(self.found(symbol, name), [])

    def expect_within(self, symbol, name):
        (finding,) = self.found(symbol, name)
        self.assertEqual({thread.get("pid", finding["pid"]) for thread in acting_threads(finding)}, {finding["pid"]})

    def expect_between(self, symbol, name):
        """One finding, its two locks each once, its threads of two processes, frames of both."""
        (finding,) = self.found(symbol, name)
        self.assertEqual(finding["level"], "warning")
        acquires = [event for event in finding["events"] if event["what"] == "acquire"]
        self.assertEqual(len(acquires), 2)
        self.assertEqual({event["lock"] for event in acquires}, {lock for event in acquires for lock in event["holding"]
                                                               if lock in {a["lock"] for a in acquires}})
        pids = {thread.get("pid", finding["pid"]) for thread in acting_threads(finding)}
        self.assertEqual(len(pids), 2)
        self.assertIn(finding["pid"], pids)
        for event in finding["events"]:
            self.assertEqual(event["stack"][-1]["function"] in ("main", "_start", "__libc_start_call_main",
                                                                "__libc_start_main"), True, event["stack"])

    def test_cases(self):
        status, stdout, _ = run_bare("between", "--list")
        self.assertEqual(status, 0)
        for symbol, name, expected in (line.split() for line in stdout.decode().splitlines()):
            with self.subTest(symbol=symbol, case=name, expected=expected):
                getattr(self, f"expect_{expected}")(symbol, name)


if __name__ == "__main__":
    unittest.main()
