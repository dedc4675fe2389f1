/* What is built in: patterns of well-known libraries that are benign in the way the library is used, each
 * with its reason, and so narrow that a bug in the program's own locking is never covered.
 * --default-suppressions=no turns them off. */
#include "suppress.h"

const char suppress_default_text[] =
    /* libdbus takes the lock of the shared bus connections before a connection's when it registers, and the
     * other way round when it closes. Programs that do both on their main thread show it (reported of SDL and
     * what is built on it: libsdl users' ThreadSanitizer reports say "deadlock:libdbus"), and there it cannot
     * deadlock. One that registers and closes connections on several threads at a time should turn this off.
     */
    "{\n"
    "  libdbus: a connection is registered, and later closed\n"
    "  rule: lock-order-cycle\n"
    "  stack:\n"
    "  obj:*/libdbus-1.so*\n"
    "  ...\n"
    "  fun:dbus_bus_*\n"
    "  stack:\n"
    "  obj:*/libdbus-1.so*\n"
    "  ...\n"
    "  fun:dbus_connection_*\n"
    "}\n"
    /* HotSpot's VM thread stops all Java threads for the last time when the machine ends (before_exit,
     * VM_Exit) and goes away itself at that safepoint, with Threads_lock and its like held on purpose: nobody
     * is to go on (VMThread::run, vmThread.cpp). The process ends right after it. */
    "{\n"
    "  HotSpot: the VM thread ends at the last safepoint, which it holds\n"
    "  rule: exit-holding-lock\n"
    "  stack:\n"
    "  ...\n"
    "  fun:*SafepointSynchronize::begin*\n"
    "  ...\n"
    "  fun:*VMThread::run*\n"
    "}\n"
    /* V8 holds local_heaps_mutex_ for as long as its main thread is in a safepoint, and waits there until the
     * other threads are parked, or until the workers of a parallel collection are through (safepoint.h,
     * IsolateSafepoint). Those that want the mutex begin or end a local heap, in another task of the same pool of
     * threads: they are not waited for, and go on when the safepoint is over.
     */
    "{\n"
    "  V8: its safepoint keeps threads from beginning local heaps\n"
    "  rule: wait-while-holding\n"
    "  stack:\n"
    "  ...\n"
    "  fun:*v8::internal::IsolateSafepoint::Enter*SafepointScope*\n"
    "  ...\n"
    "}\n";
