"""Classic remedies against deadlocks: time limits for lock calls."""

import unittest

from detect_e2e import ShimCase, run_detect


def notes(run, rule):
    return [f for f in run.report["findings"] if f["rule"] == rule]


class LockTimeout(ShimCase):
    def run_case_ending(self, case, *options):
        run = run_detect("remedies", case, options=options, timeout=30)
        self.assertEqual(run.report["processes"][0]["exit"], 0, run.stderr)
        return run

    def test_who_is_refused_can_back_off(self):
        run = self.run_case_ending("back-off", "--lock-timeout=100")
        timeouts = notes(run, "lock-timeout")
        self.assertTrue(timeouts)
        for note in timeouts:
            self.assertEqual(note["level"], "note")
            self.assertTrue(all(event["stack"] for event in note["events"]))

    def test_the_deadlock_ends(self):
        run = self.run_case_ending("back-off", "--lock-timeout=100")
        deadlocks = notes(run, "deadlock")
        self.assertTrue(deadlocks)
        for deadlock in deadlocks:
            self.assertTrue(deadlock["limited"])
            self.assertIn("until --lock-timeout makes a call fail with EDEADLK", deadlock["message"])

    def test_what_the_caller_holds_already(self):
        run = self.run_case_ending("hold-already", "--lock-timeout=100")
        self.assertEqual(len(notes(run, "lock-timeout")), 3)
        self.assertEqual([f["limited"] for f in notes(run, "self-deadlock")], [True] * 3)

    def test_each_kind_of_lock(self):
        run = self.run_case_ending("each-kind", "--lock-timeout=50")
        names = {lock["name"] for note in notes(run, "lock-timeout") for lock in note["locks"]}
        self.assertEqual(names, {"a", "table", "c11", "unit"})
        # What the holder has is told where the holder waits too; a call with a limit of its own is none.
        self.assertEqual(sum(f["count"] for f in notes(run, "lock-timeout")), 5)

    def test_the_longer_limit_comes_second(self):
        run = self.run_case_ending("each-kind", "--lock-timeout=1200", "--long-wait=1")
        self.assertTrue(notes(run, "long-wait"))
        self.assertTrue(notes(run, "lock-timeout"))

    def test_waits_for_events_have_no_limit(self):
        run = self.run_case_ending("events", "--lock-timeout=50")
        self.assertEqual(notes(run, "lock-timeout"), [])


if __name__ == "__main__":
    unittest.main()
