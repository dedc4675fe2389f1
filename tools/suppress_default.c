/* What is built in: patterns of well-known libraries that are benign, each with its reason. One goes in
 * here only when its library's users agree that it cannot deadlock, and when it is so narrow that a bug
 * in the program's own locking is never covered. --default-suppressions=no turns them off. */
#include "suppress.h"

const char suppress_default_text[] =
    /* libdbus takes the lock of the shared bus connections before a connection's when it registers, and
     * the other way round when it disconnects. The second is reached only from a connection that the
     * first is done with, on one thread; every program that uses it shows it (SDL, SDL's games, Qt). */
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
    "}\n";
