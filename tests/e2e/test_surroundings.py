"""What a program, or who starts it, may do around the shim: it runs on as without it, and is observed."""
import unittest

from detect_e2e import ShimCase, cycle

FIRST_SECOND = cycle("first", "second")


class Threads(ShimCase):
    def test_handles_that_vanish(self):
        self.assert_clean("surroundings", "vanishing")
        self.assert_finds("surroundings", "vanishing-then-backwards", FIRST_SECOND)

    def test_the_smallest_stacks(self):
        self.assert_clean("surroundings", "small-stacks")
        self.assert_finds("surroundings", "small-stacks-inverted", FIRST_SECOND)

    def test_timers(self):
        self.assert_clean("surroundings", "timer-after")
        self.assert_finds("surroundings", "timer-beside", FIRST_SECOND)
        self.assert_finds("surroundings", "timer-beside-the-next", FIRST_SECOND)
        self.assert_finds("surroundings", "timers-of-two-threads", FIRST_SECOND)


if __name__ == "__main__":
    unittest.main()
