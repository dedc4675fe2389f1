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
    [DT_RULE_UNSAFE_STATE] =
        {
            .id = DT_RULE_UNSAFE_STATE,
            .name = "unsafe-state",
            .level = DT_LEVEL_WARNING,
            .summary = "a state was reached from which nothing guarantees that all threads can end",
            .text = "Several threads held locks or units of semaphores at the same time, and what they may still ask for "
                    "before they give anything back is more than was free. In this run somebody was lucky: asked for "
                    "less, or later. If each asks for all that it was seen to need, the threads named as stuck wait for "
                    "each other for ever. With pools no two locks need ever be taken in opposite orders for that:\n"
                    "\n"
                    "    pool of 3: three workers have one connection each, and each asks for a second one\n"
                    "\n"
                    "The test is the banker's (Dijkstra, \"Cooperating sequential processes\", 1965; Habermann, CACM "
                    "12(7), 1969), by claims: what an acquisition was ever followed by while it was held, in this run "
                    "or in those of --claims, or what the program declares (detect_claim in <detect/annotate.h>). What "
                    "is given back before more is asked for is given back in the test too. How many sections the "
                    "claims are known from is said; what the program never did in them, nobody knows.\n"
                    "\n"
                    "All states of counted semaphores are looked at that sections of more than one unit make; of others, "
                    "and of locks alone, a sample: when a thread begins to wait, does something for the first time, "
                    "or is timed. Where a lock-order cycle tells of the same "
                    "bug the two refer to each other: then the threads were as near to the deadlock as they can be. A "
                    "semaphore that is posted by threads which did not wait for it is a signal and no resource "
                    "(--verbose names those).\n"
                    "\n"
                    "How to mend it: take all units at once (one lock around the taking of several is enough), "
                    "give back what is held before asking for more, or have units for one thread more. "
                    "detect run --avoid keeps the same binary out of such states.",
        },
    [DT_RULE_DEADLOCK] =
        {
            .id = DT_RULE_DEADLOCK,
            .name = "deadlock",
            .level = DT_LEVEL_ERROR,
            .summary = "threads wait for each other in a closed circle: none of them can go on",
            .text =
                "This happened in the run that is reported: each thread of the circle holds what the one "
                "before it waits for, and none of the waits has a time limit. It was found at the moment "
                "the last wait closed the circle. Mutexes, rwlocks (also a reader that waits behind a "
                "waiting writer), spinlocks, once routines and pthread_join count, in any mixture.\n"
                "\n"
                "A circle through a semaphore that is used as a lock is a warning (own-units), told when it has "
                "stood for a second: all units are held by threads of the circle, and nobody else has ever "
                "posted one, but nothing forbids another thread to do so. --on-deadlock does not act on it.\n"
                "\n"
                "How to read the report: for each thread the stack where it took what it holds, then the "
                "stack where it waits. The last thread waits for what the first holds.\n"
                "\n"
                "How to mend it: as for lock-order-cycle (`detect explain lock-order-cycle`): one order "
                "for all, or one lock at a time, or trylock and back off. Never join a thread while "
                "holding a lock that it takes.\n"
                "\n"
                "--on-deadlock says what happens next: `report` leaves the program hung as it would be, "
                "`exit` ends it with the report, `abort` leaves a core for the debugger, `break` makes "
                "the closing call fail with EDEADLK so that the program can go on.",
        },
    [DT_RULE_SELF_DEADLOCK] =
        {
            .id = DT_RULE_SELF_DEADLOCK,
            .name = "self-deadlock",
            .level = DT_LEVEL_ERROR,
            .summary = "a thread waits for a lock that it holds itself",
            .text =
                "A thread locks a mutex (not a recursive or error-checking one) or spinlock that it has "
                "locked before and not released, or wants to write an rwlock that it still reads, or "
                "calls pthread_once for a routine that it is just running. It waits for itself, for "
                "ever.\n"
                "\n"
                "The usual ways into it: a public function that locks calls another public function that "
                "locks; a callback or a signal handler comes back into the module; an error path returns "
                "without unlocking and the next call finds the lock held.\n"
                "\n"
                "How to mend it: split functions into a public one that locks and an inner one that "
                "expects the lock held. Release before calling back. Release an rwlock before taking it "
                "for writing, and look again at what was read. A recursive mutex hides the symptom: the "
                "inner call then runs on half-changed data.",
        },
    [DT_RULE_STALL] =
        {
            .id = DT_RULE_STALL,
            .name = "stall",
            .level = DT_LEVEL_ERROR,
            .summary = "every thread waits, without a time limit, for another of the same process",
            .text =
                "All threads of the process are in waits that only a thread of this process could end, and "
                "none is left to do it: a lost wake-up, a missed post, a barrier with too many expected, "
                "a join of a thread that waits.\n"
                "\n"
                "Nothing is said while any thread is somewhere else: in read, poll, accept, sleep, sigwait, "
                "in a wait with a time limit, on an object shared with other processes, or where a signal "
                "handler of the program could still post a semaphore, or a timer is to run one.\n"
                "\n"
                "How to mend it: change the predicate of a condition under its mutex and signal after "
                "that; wait in a loop that tests the predicate first; broadcast where more than one kind of "
                "waiter shares a condition; count who posts and who waits on a semaphore.",
        },
    [DT_RULE_UNLOCK_NOT_LOCKED] =
        {
            .id = DT_RULE_UNLOCK_NOT_LOCKED,
            .name = "unlock-not-locked",
            .level = DT_LEVEL_ERROR,
            .summary = "a lock is released that nobody holds",
            .text = "The behaviour is undefined: with glibc the lock's word can be left in a state in which "
                    "two threads get in, or an rwlock's count of readers wraps round. Usual causes: two "
                    "unlocks on an error path, an unlock after a trylock that failed, an unlock of "
                    "another object than the one that was locked.\n"
                    "\n"
                    "How to mend it: release in one place per function (a cleanup label, or a scoped lock "
                    "in C++), and only where the lock call succeeded.",
        },
    [DT_RULE_UNLOCK_NOT_OWNER] =
        {
            .id = DT_RULE_UNLOCK_NOT_OWNER,
            .name = "unlock-not-owner",
            .level = DT_LEVEL_ERROR,
            .summary = "a thread releases a lock that another thread holds",
            .text =
                "Only the thread that locked a mutex or rwlock may unlock it; POSIX leaves all else "
                "undefined. It seems to work with plain mutexes in glibc, and then breaks what the owner "
                "believes to be protected.\n"
                "\n"
                "How to mend it: where a lock is passed from one thread to another to signal something, "
                "use a semaphore or a condition variable. Where it is a slip, release in the function "
                "that locked.",
        },
    [DT_RULE_DESTROY_LOCKED] =
        {
            .id = DT_RULE_DESTROY_LOCKED,
            .name = "destroy-locked",
            .level = DT_LEVEL_ERROR,
            .summary = "a lock is destroyed while it is held",
            .text = "The holder's unlock then works on a dead object, and on memory that may be another's "
                    "already. glibc answers EBUSY for a mutex, which few programs look at, and nothing at "
                    "all for an rwlock.\n"
                    "\n"
                    "How to mend it: make sure that no other thread can reach the object (unlink it, drop "
                    "the last reference, join), release the lock, then destroy it.",
        },
    [DT_RULE_DESTROY_WAITED] =
        {
            .id = DT_RULE_DESTROY_WAITED,
            .name = "destroy-waited",
            .level = DT_LEVEL_ERROR,
            .summary = "a condition variable, semaphore or barrier is destroyed while threads wait on it",
            .text = "The waiters are left on a dead object; with glibc pthread_cond_destroy itself waits "
                    "until they are woken, which nobody can do any more.\n"
                    "\n"
                    "How to mend it: tell the waiters to stop, wake them (broadcast), join them, then "
                    "destroy. Destroying directly after a broadcast that woke them all is allowed and "
                    "is no finding.",
        },
    [DT_RULE_USE_DESTROYED] =
        {
            .id = DT_RULE_USE_DESTROYED,
            .name = "use-destroyed",
            .level = DT_LEVEL_ERROR,
            .summary = "a lock is used after it was destroyed",
            .text = "The object was destroyed and not initialised again. What happens is undefined; often "
                    "it seems to work until the memory is used for something else.\n"
                    "\n"
                    "How to mend it: usually two threads disagree about who is last. Count references, or "
                    "join the users before the destruction; in C++, look for objects with static lifetime "
                    "that are used by threads which outlive main.",
        },
    [DT_RULE_INIT_LOCKED] =
        {
            .id = DT_RULE_INIT_LOCKED,
            .name = "init-locked",
            .level = DT_LEVEL_ERROR,
            .summary = "a lock is initialised while it is held",
            .text = "The initialisation throws away that the lock is held: the next thread gets in beside the "
                    "holder. Usually the initialisation of one object runs twice, from two threads.\n"
                    "\n"
                    "How to mend it: initialise statically, or by pthread_once, before any thread can use "
                    "it; destroy before initialising again.",
        },
    [DT_RULE_EXIT_HOLDING_LOCK] =
        {
            .id = DT_RULE_EXIT_HOLDING_LOCK,
            .name = "exit-holding-lock",
            .level = DT_LEVEL_WARNING,
            .summary = "a thread ended while it held a lock that is not robust",
            .text = "Nobody can release the lock any more: who wants it next waits for ever. Usual causes: "
                    "return or pthread_exit from the middle of a critical section, cancellation without a "
                    "cleanup handler; with a mutex in shared memory, exit of the whole process.\n"
                    "\n"
                    "How to mend it: release on every way out (pthread_cleanup_push, scoped locks in C++). "
                    "Where a thread may really die inside, use a robust mutex and repair the data on "
                    "EOWNERDEAD.",
        },
    [DT_RULE_COND_MUTEX_MISMATCH] =
        {
            .id = DT_RULE_COND_MUTEX_MISMATCH,
            .name = "cond-mutex-mismatch",
            .level = DT_LEVEL_ERROR,
            .summary = "one condition variable is waited on with different mutexes at the same time",
            .text = "POSIX leaves this undefined: while threads wait on a condition variable, it is bound to "
                    "their mutex. A signaller that holds one of the mutexes is not ordered with waiters "
                    "that use the other, and wake-ups get lost.\n"
                    "\n"
                    "How to mend it: one mutex for one predicate and its condition variable; a second "
                    "condition variable for what another mutex protects.",
        },
    [DT_RULE_COND_WAIT_UNLOCKED] =
        {
            .id = DT_RULE_COND_WAIT_UNLOCKED,
            .name = "cond-wait-unlocked",
            .level = DT_LEVEL_ERROR,
            .summary = "a thread waits on a condition variable without holding the mutex",
            .text = "The predicate was tested without protection, so the signal can come between the test and "
                    "the wait and is lost; and the wait itself unlocks a mutex that it does not hold.\n"
                    "\n"
                    "How to mend it: lock the mutex, test the predicate in a loop, wait with the mutex held.",
        },
    [DT_RULE_LOCK_IN_SIGNAL_HANDLER] =
        {
            .id = DT_RULE_LOCK_IN_SIGNAL_HANDLER,
            .name = "lock-in-signal-handler",
            .level = DT_LEVEL_WARNING,
            .summary = "a lock that a signal handler takes and that threads take with that signal unblocked",
            .text =
                "A handler runs in the middle of whatever its thread was doing. When the thread holds the lock "
                "that the handler wants, the handler waits for the very thread that it interrupts, for "
                "ever. The program need not have hung: what was seen is that the handler takes the lock, and "
                "that a thread takes it with the signal not blocked.\n"
                "\n"
                "Example:\n"
                "\n"
                "    void on_alarm(int s) { pthread_mutex_lock(&log); ... }\n"
                "    ...\n"
                "    pthread_mutex_lock(&log);   <- SIGALRM here, or anywhere up to the unlock\n"
                "\n"
                "It is no finding where the handler only tries, where each thread blocks the signal before it "
                "takes the lock, or where the lock is a recursive mutex (nothing hangs then, though what it "
                "protects may be half changed). Signals that code causes itself (SIGSEGV, SIGBUS, SIGFPE, "
                "SIGILL, SIGTRAP, SIGSYS) don't come just anywhere, and are left out.\n"
                "\n"
                "How to mend it, best first:\n"
                "\n"
                "1. Do nothing in the handler but set a flag, write to a pipe, or sem_post; none of the "
                "pthread lock calls may be made there at all (man 7 signal-safety).\n"
                "2. Block the signal in all threads and take it in one with sigwait, sigwaitinfo or "
                "signalfd: that is ordinary code, which may lock.\n"
                "3. Block the signal around the lock in every thread (pthread_sigmask), where neither is "
                "possible.",
        },
    [DT_RULE_LOCK_HELD_AT_FORK] =
        {
            .id = DT_RULE_LOCK_HELD_AT_FORK,
            .name = "lock-held-at-fork",
            .level = DT_LEVEL_WARNING,
            .summary = "the child of a fork uses a lock that another thread held at the fork",
            .text = "Only the thread that calls fork lives on in the child. Locks that other threads held at "
                    "that moment stay locked there for ever, and the data behind them may be half "
                    "changed.\n"
                    "\n"
                    "How to mend it: fork before creating threads, or use posix_spawn; between fork and "
                    "exec call async-signal-safe functions only. A library that must work on after fork "
                    "takes its locks in pthread_atfork's prepare handler and releases them in both the "
                    "parent's and the child's.",
        },
    [DT_RULE_LONG_WAIT] =
        {
            .id = DT_RULE_LONG_WAIT,
            .name = "long-wait",
            .level = DT_LEVEL_NOTE,
            .summary = "a wait lasted longer than --long-wait allows",
            .text = "A thread waited for a lock, or in a wait with a time limit, for longer than the limit "
                    "given with --long-wait=SECONDS. That is no deadlock: the wait may end. The report says "
                    "who held the lock then, where that is known.\n"
                    "\n"
                    "How to mend it: shorten what is done with the lock held; no input or output, no waiting "
                    "for others there. `detect stats` shows which sites hold longest.",
        },
    [DT_RULE_DATA_RACE] =
        {
            .id = DT_RULE_DATA_RACE,
            .name = "data-race",
            .level = DT_LEVEL_ERROR,
            .summary = "two threads access the same memory, at least one writes, and nothing orders them",
            .text =
                "In C and C++ a data race is undefined behaviour: the compiler may assume that there is "
                "none, and the processor may show the parts of a write in any order. Both accesses were "
                "really made in this run, and no lock, thread creation, join, atomic operation, semaphore, "
                "barrier or once orders one before the other.\n"
                "\n"
                "Only code is looked at that was compiled with -fsanitize=thread and linked to libdetect_preload.so. Where "
                "one access is atomic and the other is not, the plain one is the culprit.\n"
                "\n"
                "How to mend it: hold one and the same lock at both accesses; or make both atomic, with "
                "release at the write and acquire at the read where other data are published by it; or give "
                "each thread its own copy. Neither volatile nor a sleep orders anything. A race that is meant "
                "(a statistics counter) is best a relaxed atomic.",
        },
    [DT_RULE_PREDICTED_RACE] =
        {
            .id = DT_RULE_PREDICTED_RACE,
            .name = "predicted-race",
            .level = DT_LEVEL_WARNING,
            .summary = "two accesses were ordered in this run only by who happened to take a lock first",
            .text =
                "The two accesses share no lock. In this run one came before the other because its thread "
                "released a lock that the other took later, but what the two did under that lock has nothing "
                "to do with each other: had the other thread been first, nothing would have kept the accesses "
                "apart. A tool that only looks at what happened sees this bug once in many runs.\n"
                "\n"
                "How to mend it: as a data race. Where the order is certain for a reason that is not visible "
                "(a protocol outside of the program, code that is not compiled with -fsanitize=thread), say so "
                "with the annotations of ThreadSanitizer, or switch the prediction off: --no-predict, "
                "DETECT_OPTIONS=predict=no.",
        },
    [DT_RULE_USE_AFTER_FREE_RACE] =
        {
            .id = DT_RULE_USE_AFTER_FREE_RACE,
            .name = "use-after-free-race",
            .level = DT_LEVEL_ERROR,
            .summary = "a thread uses heap memory that another thread frees, and nothing orders the two",
            .text =
                "Nothing orders the access and the free: in another schedule the block is gone, or already "
                "somebody else's, when it is used. Usual causes: the last reference is dropped without "
                "counting, a thread goes on using an object after it has told the owner that it is done, an "
                "object is freed after a flag was read without acquire.\n"
                "\n"
                "How to mend it: join the users before the free; count references with acquire-release "
                "atomics; take the object out of every shared place under a lock, and free it when no one "
                "can have it any more.",
        },
    [DT_RULE_LOCK_TIMEOUT] =
        {
            .id = DT_RULE_LOCK_TIMEOUT,
            .name = "lock-timeout",
            .level = DT_LEVEL_NOTE,
            .summary = "a lock call was made to fail after what --lock-timeout allows",
            .text = "A thread waited for a lock for longer than --lock-timeout=MS allows, and the call was made "
                    "to fail: pthread_mutex_lock and the rwlock calls return ETIMEDOUT, mtx_lock thrd_error, "
                    "sem_wait -1 with errno ETIMEDOUT. Where the wait was one of a closed circle of waits (a `deadlock` "
                    "or `self-deadlock`) the error is EDEADLK. That is the classic remedy against deadlocks beside "
                    "order and avoidance: a program that looks at what its lock calls return can let go of what "
                    "it holds and try again. One that does not look goes on without the lock, which is "
                    "worse than to hang.\n"
                    "\n"
                    "What to do: where the program looks at the result, nothing. Elsewhere find out why the "
                    "lock was held for so long (the report says by whom, where that is known), or "
                    "give a longer limit.",
        },
    [DT_RULE_CLAIM_EXCEEDED] =
        {
            .id = DT_RULE_CLAIM_EXCEEDED,
            .name = "claim-exceeded",
            .level = DT_LEVEL_NOTE,
            .summary = "under --avoid, a section took more than its claim says",
            .text = "--avoid knows from earlier runs (--claims=LOG) what each section of a program needs at most: a "
                    "section is what a thread does from its first lock until it holds nothing again. Here one took a "
                    "lock, or a unit more, that none of those runs has seen there. The claim was widened and the "
                    "program went on; until then the section was not held back where it should have been.\n"
                    "\n"
                    "What to do: give the log of this run as --claims too; use runs that reach more of the program.",
        },
    [DT_RULE_AVOIDANCE_GAVE_UP] =
        {
            .id = DT_RULE_AVOIDANCE_GAVE_UP,
            .name = "avoidance-gave-up",
            .level = DT_LEVEL_NOTE,
            .summary = "--avoid held a thread back for longer than --avoid-patience allows",
            .text = "A thread was not given a lock since the state would have been unsafe then, and nothing was "
                    "released that would have made it safe, for as long as --avoid-patience=MS allows (2000). It "
                    "went on without avoidance: no worse than the program by itself, which may deadlock here.\n"
                    "\n"
                    "Usual causes: a section that waits for something else than a lock (a condition variable, "
                    "a thread, a peer) while it holds what the others need; or one that holds for very long, and "
                    "the patience is too short for it.",
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
    [DT_REASON_WORD_GIVEN] = {"word-given", "the thread signalled, or came to the barrier, before it was seen to take this lock, or under it: the "
                                            "wait may always come after its last need"},
    [DT_REASON_APART] = {"apart", "the thread takes the lock in one part of the program and signals in another: nothing "
                                  "shows that it needs the lock before it signals"},
    [DT_REASON_POSTED_UNDER] = {"posted-under", "every unit seen was posted under the lock, too: no deadlock if the thread knows, by "
                                                "what the lock guards, that there is a unit, and a sure one if it comes when there is none"},
    [DT_REASON_OWN_UNITS] = {"own-units", "so far only threads that held units of the semaphore posted it, and all of its units are held by these: they wait for ever, unless another thread posts it for the first time"},
    [DT_REASON_DEADLOCKED] = {"deadlocked", "the state became an actual deadlock, which is reported"},
    [DT_REASON_UNITS_LEFT] = {"units-left", "the semaphore has more units than all threads that wait with some were seen to hold"},
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
	    [DT_EVENT_UNLOCK] = "unlock",
	    [DT_EVENT_DESTROY] = "destroy",
	    [DT_EVENT_INIT] = "init",
	    [DT_EVENT_USE] = "use",
	    [DT_EVENT_EXIT] = "exit",
	    [DT_EVENT_READ] = "read",
	    [DT_EVENT_WRITE] = "write",
	    [DT_EVENT_ATOMIC_READ] = "atomic-read",
	    [DT_EVENT_ATOMIC_WRITE] = "atomic-write",
	    [DT_EVENT_FREE] = "free",
	};

	return (unsigned)kind < DT_EVENT_KINDS ? names[kind] : "unknown";
}
