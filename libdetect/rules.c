/* rules.c: the table of rules and the names of what findings are made of. A new rule is a row. */
#include <detect/finding.h>

#include <string.h>

const struct dt_rule dt_rules[DT_RULES] = {
    [DT_RULE_LOCK_ORDER_CYCLE] =
        {
            .id = DT_RULE_LOCK_ORDER_CYCLE,
            .name = "lock-order-cycle",
            .level = DT_LEVEL_WARNING,
            .summary = "locks are taken in orders that can deadlock under another schedule",
            .text =
                "One thread holds lock A and takes B; another holds B and takes A. Each can get its first "
                "lock and then wait for the other's, for ever. The same goes for rings of three or more "
                "locks. The program need not have hung: what was seen is that the orders exist, made by "
                "threads that can run at the same time.\n"
                "\n"
                "Example:\n"
                "\n"
                "    thread 1                      thread 2\n"
                "    lock(&from->lock);            lock(&to->lock);\n"
                "    lock(&to->lock);              lock(&from->lock);\n"
                "\n"
                "How to read the report: the locks are listed in the order of the circle. For each step "
                "there are two stacks of one thread: where it took the lock that it holds, and where it "
                "then wanted the next one. The last wanted lock is the first one held.\n"
                "\n"
                "How to mend it, best first:\n"
                "\n"
                "1. Hold one lock at a time: copy what is needed, release, then lock the other. Never call "
                "callbacks or code of other modules with a lock held.\n"
                "2. Give the locks one order and keep it everywhere. Objects of one kind have no natural "
                "order: sort by an id that never changes, or by address. In C++, std::scoped_lock(a, b) "
                "takes any number of locks without deadlock.\n"
                "3. Try the second lock (pthread_mutex_trylock) and, when it is taken, release the first, "
                "wait a little and begin again.\n"
                "4. Take one more lock around both (a gate): right, but the others then serve no purpose.\n"
                "\n"
                "What is no finding: orders that pthread_create, pthread_join, barriers or once routines "
                "keep apart, orders under a common gate lock, a step that only tries its lock, readers that "
                "do not exclude each other. A circle whose steps were all made by one thread is a note: "
                "that thread can't deadlock with itself so, but two threads that run the same code could. "
                "With --verbose these are listed with the reason for each.\n"
                "\n"
                "Orders that hold for reasons that can't be seen (a state machine, a message that is "
                "waited for) are the false positives left. State them in a suppression with the reason.",
        },
    [DT_RULE_WAIT_WHILE_HOLDING] =
        {
            .id = DT_RULE_WAIT_WHILE_HOLDING,
            .name = "wait-while-holding",
            .level = DT_LEVEL_WARNING,
            .summary = "waits for another thread while holding a lock that the other was seen to need",
            .text =
                "A thread waits for something that is no lock (a condition variable, the end of a thread, "
                "a barrier) and keeps a lock during the wait. The thread that it waits for was seen to "
                "take that lock. If it needs the lock before it signals, ends or arrives, both wait for "
                "ever: a deadlock in which a search for circles of locks finds nothing.\n"
                "\n"
                "Example:\n"
                "\n"
                "    waiter                           signaller\n"
                "    lock(&registry);                 lock(&registry);   <- waits for the waiter\n"
                "    lock(&queue);                    ...\n"
                "    while (empty)                    unlock(&registry);\n"
                "        cond_wait(&more, &queue);    cond_signal(&more);\n"
                "\n"
                "pthread_cond_wait releases the mutex that it is given and no other: here the registry "
                "stays locked for as long as the wait lasts. The same happens with pthread_join under a lock "
                "that the joined thread takes on its way out, and with a barrier that another participant "
                "reaches through that lock.\n"
                "\n"
                "How to mend it: release the other locks before the wait, and look again at what they "
                "protect after it. Or let the other side signal, end or arrive without that lock. To join "
                "under a lock that keeps a table of threads: take the entry out of the table under the "
                "lock, release it, then join.\n"
                "\n"
                "A wait with a time limit is a note: the program goes on, late. It is a note too when yet "
                "another thread, one that never took the lock, signals the same condition variable: it may "
                "end the "
                "wait. Acquisitions that create, join, barriers or once routines keep apart from the wait "
                "do not count.",
        },
};

const struct dt_rule *dt_rule_find(const char *name)
{
	for (int i = 0; i < DT_RULES; i++)
		if (strcmp(dt_rules[i].name, name) == 0)
			return &dt_rules[i];
	return NULL;
}

static const struct {
	const char *name, *text;
} reasons[DT_REASONS] = {
    [DT_REASON_NONE] = {"none", "nothing speaks against it"},
    [DT_REASON_SAME_THREAD] = {"same-thread",
                               "one thread would have to be in two places at once; only several "
                               "threads running this code could deadlock"},
    [DT_REASON_GATE_LOCK] = {"gate-lock", "a common lock is held on both sides and lets only one of them in"},
    [DT_REASON_ORDERED] = {"ordered", "create, join, barrier or once keeps these apart in time"},
    [DT_REASON_TRY] = {"try", "a lock is only tried here: the call gives up instead of waiting"},
    [DT_REASON_TIMED] = {"timed",
                         "a call gives up after a time: this delays the program but does not stop it"},
    [DT_REASON_READERS] = {"readers", "both hold the lock shared: readers don't exclude each other"},
    [DT_REASON_READER_POLICY] = {"reader-policy", "blocks only if a writer waits in between: this lock holds "
                                                  "back new readers then"},
    [DT_REASON_CLASS_ONLY] = {"class-only",
                              "over the memory budget locks were recorded by where they were made: "
                              "these may be different objects"},
    [DT_REASON_WORD_GIVEN] = {"word-given", "the thread waited for signals before it was seen to take this lock, or under it: the "
                                            "wait may always come after its last need"},
    [DT_REASON_OTHER_WAKER] = {"other-waker", "another thread signals too and was not seen to need the lock"},
};

const char *dt_reason_name(enum dt_reason reason)
{
	return (unsigned)reason < DT_REASONS ? reasons[reason].name : "unknown";
}

const char *dt_reason_text(enum dt_reason reason)
{
	return (unsigned)reason < DT_REASONS ? reasons[reason].text : "unknown";
}

const char *dt_event_name(enum dt_event_kind kind)
{
	static const char *const names[DT_EVENT_KINDS] = {
	    [DT_EVENT_HOLD] = "hold",
	    [DT_EVENT_ACQUIRE] = "acquire",
	    [DT_EVENT_WAIT] = "wait",
	    [DT_EVENT_SIGNAL] = "signal",
	};

	return (unsigned)kind < DT_EVENT_KINDS ? names[kind] : "unknown";
}
