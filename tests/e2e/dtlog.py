"""Fact logs, written byte by byte from libdetect/include/detect/log_format.h.

A second writer, on purpose: the tests of the command do not depend on the shim's, and can write
what no shim would. Each method appends one record; ids are the caller's.
"""

import random
import struct

MAGIC = b"DTFACTS\n"
VERSION = 2
BYTE_ORDER = 0x01020304
HEADER_BYTES = 4096

(PROCESS, MODULE, MODULE_END, THREAD, THREAD_NAME, THREAD_END, SEGMENT, STACK, LOCK, LOCK_END, ACQ,
 SIGHTING, EXIT, EXEC, INCIDENT, SEM_SIGNAL, STAT, INTERVAL) = range(1, 19)
HOLD, WAIT = 1, 2
MUTEX, RWLOCK = 1, 2
UNKNOWN, GLOBAL, HEAP, ON_STACK = range(4)
COUNTERS = {"dropped": 0, "folded": 1}


class Log:
    def __init__(self, pid=71, ppid=70, start_ns=1_000_000_000, order="<"):
        self.pid, self.ppid, self.start_ns, self.order = pid, ppid, start_ns, order
        self.counters = [0] * 64
        self.records = bytearray()

    def record(self, kind, body, flags=0):
        body += b"\0" * (-len(body) % 8)
        self.records += struct.pack(self.order + "HHI", kind, flags, 1 + len(body) // 8) + body

    def pack(self, layout, *values):
        return struct.pack(self.order + layout, *values)

    def process(self, argv, exe):
        text = b"".join(arg + b"\0" for arg in argv) + exe + b"\0"
        self.record(PROCESS, self.pack("II", len(argv), len(text)) + text)

    def module(self, ident, path, bias, start, end):
        path += b"\0"
        self.record(MODULE, self.pack("IHHQQQ", ident, len(path), 0, bias, start, end) + path)

    def thread(self, ident, first_segment, parent=0, create_stack=0, start=0, tid=0):
        self.record(THREAD, self.pack("IiIIIIQ", ident, tid, first_segment, create_stack, parent, 0, start))

    def thread_name(self, ident, name):
        self.record(THREAD_NAME, self.pack("II", ident, 0) + name + b"\0")

    def segment(self, ident, thread, pred=0):
        self.record(SEGMENT, self.pack("IIII", ident, thread, pred, 0))

    def stack(self, ident, pcs, exact=None):
        exact = len(pcs) if exact is None else exact
        self.record(STACK, self.pack("IHH%dQ" % len(pcs), ident, len(pcs), exact, *pcs),
                    flags=0 if exact == len(pcs) else 2)

    def lock(self, ident, address, kind=MUTEX, place=UNKNOWN, alloc=0, init=0, first=0, thread=0, block=0,
             block_bytes=0, flags=0):
        self.record(LOCK, self.pack("IBBHQQQIIII", ident, kind, place, 0, address, block, block_bytes, alloc,
                                    init, first, thread), flags)

    def acq(self, ident, lock, stack, parent=0, op=1, mode=0, wait=0):
        self.record(ACQ, self.pack("IIIIBBBBI", ident, parent, lock, stack, op, mode, wait, 0, 0))

    def sighting(self, acq, segment):
        self.record(SIGHTING, self.pack("II", acq, segment))

    def stat(self, lock, stack, acquisitions=0, samples=0, hold=(0, 0), contended=0, wait=(0, 0)):
        self.record(STAT, self.pack("II7Q", lock, stack, acquisitions, samples, *hold, contended, *wait))

    def interval(self, thread, lock, begin_ns, end_ns, stack=0, kind=HOLD):
        self.record(INTERVAL, self.pack("IIIIQQ", thread, lock, stack, 0, begin_ns, end_ns), flags=kind)

    def exit(self, status):
        self.record(EXIT, self.pack("iI", status, 0))

    def exec(self):
        self.record(EXEC, b"")

    def bytes(self, version=VERSION):
        tail = HEADER_BYTES + len(self.records)
        header = MAGIC + self.pack("IIIIiiQQQ64Q", version, BYTE_ORDER, HEADER_BYTES, 62, self.pid, self.ppid,
                                   self.start_ns, tail + 4096, tail, *self.counters)
        return header.ljust(HEADER_BYTES, b"\0") + bytes(self.records) + b"\0" * 4096


def inversion(log=None, program=b"/usr/bin/bank", names=(b"teller", b"auditor"), exit_status=0):
    """Two threads that take two locks in opposite orders: one lock-order-cycle, with no symbols."""
    log = log or Log()
    log.process([b"./bank", b"--now"], program)
    log.module(1, program, 0x400000, 0x400000, 0x500000)
    for ident, pcs in enumerate([[0x401010, 0x401900], [0x401020, 0x401900], [0x402010, 0x402900],
                                 [0x402020, 0x402900], [0x403000]], start=1):
        log.stack(ident, pcs)
    log.segment(1, 1)
    log.thread(1, 1)
    for thread in (2, 3):
        log.segment(thread, thread, pred=1)
        log.thread(thread, thread, parent=1, create_stack=5, start=0x401000 * (thread == 2) + 0x402000 * (thread == 3))
        log.thread_name(thread, names[thread - 2])
    log.lock(1, 0x404000, first=1)
    log.lock(2, 0x404040, first=3)
    log.acq(1, lock=1, stack=1)
    log.acq(2, lock=2, stack=2, parent=1)
    log.acq(3, lock=2, stack=3)
    log.acq(4, lock=1, stack=4, parent=3)
    for acq, segment in ((1, 2), (2, 2), (3, 3), (4, 3)):
        log.sighting(acq, segment)
    log.exit(exit_status)
    return log


def many_findings(count, depth=2, harmless=0):
    """`count` lock-order cycles that have nothing in common, with stacks of `depth` frames; then `harmless`
    pairs of locks that one thread takes in one order."""
    log = Log()
    program, draw = b"/usr/bin/many", random.Random(1).getrandbits
    log.process([b"./many"], program)
    log.module(1, program, 0x400000, 0x400000, 0x400000 + 0x1000 + 64 * (count + harmless) + 64)
    for thread in (1, 2):
        log.segment(thread, thread)
        log.thread(thread, thread)
    for pair in range(count + harmless):
        first, acq, stack, pc = 2 * pair + 1, 4 * pair + 1, 4 * pair + 1, 0x401000 + 64 * pair
        for step in range(4):
            log.stack(stack + step, [pc + 8 * step, *(draw(40) for _ in range(1, depth))])
        log.lock(first, 0x10000000 + 128 * pair, first=stack)
        log.lock(first + 1, 0x10000040 + 128 * pair, first=stack + 1)
        for step, (lock, parent, segment) in enumerate(((first, 0, 1), (first + 1, acq, 1),
                                                        (first + 1, 0, 2), (first, acq + 2, 2))):
            if step == 2 and pair >= count:
                break
            log.acq(acq + step, lock, stack + step, parent=parent)
            log.sighting(acq + step, segment)
    log.exit(0)
    return log
