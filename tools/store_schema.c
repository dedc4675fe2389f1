/* The tables. A run is one process's log. Locks, stacks, roles (what threads are started to do), phases and
 * acquisitions are the same row for all runs that have them; `seen` says which thread of which run did an
 * acquisition; its rows lie by run, so that a run's are written in one place. An acquisition has its parent:
 * what was held. */
#include "store.h"

const struct store_schema store_schemas[STORE_TABLES] = {
    [STORE_RUN] =
        {
            .name = "run",
            .columns = {{"id", false},
                        {"name", true},
                        {"program", true},
                        {"argv", true},
                        {"pid", false},
                        {"ppid", false},
                        {"start_ns", false},
                        {"ending", false},
                        {"status", false},
                        {"threads", false},
                        {"locks", false},
                        {"acquisitions", false},
                        {"notices", true}},
            .key_count = 1,
            .rank = 11,
            .update =
                "UPDATE SET ending = excluded.ending, status = excluded.status, threads = excluded.threads, "
                "locks = excluded.locks, acquisitions = excluded.acquisitions, notices = excluded.notices "
                "WHERE excluded.acquisitions >= run.acquisitions",
        },
    [STORE_LOCK] =
        {
            .name = "lock",
            .columns = {{"id", false},
                        {"kind", false},
                        {"flags", false},
                        {"units", false},
                        {"name", true},
                        {"class_name", true},
                        {"origin", true},
                        {"plural", false}},
            .key_count = 1,
            .rank = 7,
            .update = "UPDATE SET plural = excluded.plural WHERE excluded.plural > lock.plural",
        },
    [STORE_STACK] =
        {
            .name = "stack",
            .columns = {{"id", false}, {"frames", true}},
            .key_count = 1,
            .update = "NOTHING",
        },
    [STORE_ROLE] =
        {
            .name = "role",
            .columns = {{"id", false}, {"start", true}, {"created", false}, {"plural", false}},
            .key_count = 1,
            .rank = 3,
            .update = "UPDATE SET plural = excluded.plural WHERE excluded.plural > role.plural",
        },
    [STORE_PHASE] =
        {
            .name = "phase",
            .columns = {{"id", false}, {"relations", true}},
            .key_count = 1,
            .update = "NOTHING",
        },
    [STORE_ACQ] =
        {
            .name = "acq",
            .columns = {{"id", false},
                        {"parent", false},
                        {"lock", false},
                        {"stack", false},
                        {"op", false},
                        {"mode", false},
                        {"wait", false}},
            .key_count = 1,
            .update = "NOTHING",
        },
    [STORE_SEEN] =
        {
            .name = "seen",
            .columns = {{"run", false}, {"acq", false}, {"thread", false}, {"role", false}, {"phase", false}},
            .key_count = 3,
            .order = "acq, run, thread",
            .update = "NOTHING",
        },
    [STORE_FINDING] =
        {
            .name = "finding",
            .columns = {{"id", false},
                        {"program", true},
                        {"rule", true},
                        {"level", false},
                        {"fingerprint", true},
                        {"message", true},
                        {"body", true}},
            .key_count = 1,
            .rank = 3,
            .update = "UPDATE SET level = excluded.level, message = excluded.message, body = excluded.body "
                      "WHERE excluded.level > finding.level",
        },
    [STORE_FINDING_RUN] =
        {
            .name = "finding_run",
            .columns = {{"finding", false}, {"run", false}, {"count", false}},
            .key_count = 2,
            .rank = 2,
            .update = "UPDATE SET count = excluded.count WHERE excluded.count > finding_run.count",
        },
};
