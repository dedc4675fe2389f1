"""Actual deadlocks through semaphores that are used as locks, while another thread of the process goes on."""

from concurrent.futures import ThreadPoolExecutor

from detect_e2e import ShimCase, run_detect

CLOSED = ("two", "with-mutex", "pool", "with-join", "bystander")
OPEN = ("never-given-back", "pool-with-one-out", "passed-on", "posted-by-another", "with-handler", "timed")


class UnitCircles(ShimCase):
    def deadlocks(self, case, *options):
        run = run_detect("units", case, options=list(options), timeout=60)
        self.assertEqual(run.report["processes"][0]["exit"], 0, "the program was left alone")
        return [f for f in run.report["findings"] if f["rule"] in ("deadlock", "self-deadlock", "stall")]

    def each(self, cases):
        """Each case with what is found in it. They sleep most of the time, so all run at once."""
        with ThreadPoolExecutor(len(cases)) as together:
            return zip(cases, list(together.map(self.deadlocks, cases)))

    def test_closed(self):
        for case, found in self.each(CLOSED):
            with self.subTest(case=case):
                (finding,) = found
                self.assertEqual((finding["rule"], finding["level"], finding["tier"], finding["reason"]),
                                 ("deadlock", "warning", "possible", "own-units"))
                self.assertEqual(len({step["thread"] for step in finding["state"]["cycle"]}), 2)
                for event in finding["events"]:
                    self.assertTrue(event["stack"], "every event has its stack")

    def test_open(self):
        for case, found in self.each(OPEN):
            with self.subTest(case=case):
                self.assertEqual(found, [])

    def test_no_action_on_what_is_not_certain(self):
        (finding,) = self.deadlocks("two", "--on-deadlock=exit")
        self.assertFalse(finding["broken"])
