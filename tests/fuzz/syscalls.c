// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzzes the Sentry from where the application stands: random system calls whose arguments are of the right kind, but
 * for some that are not.
 *
 *     syscalls SEED SECONDS [verbose]
 *
 * Runs as the first process of a sandbox (tests/fuzz/run), as root, never on a machine: what it calls would do there.
 * In each round three families work side by side, each in namespaces of pids, mounts and System V objects of its own,
 * so that the death of its init is that of all: root's, an unprivileged user's, and one's of such a user with a user
 * namespace. A family is some processes with three threads each, which share descriptors and memory; a fourth
 * interrupts them. Limits are small, so that the kernel is tested and not its exhaustion. After each round the families
 * are killed and reaped, and plain things must still work; in the end as much memory must be free as after the first
 * rounds. What else can fail ends the sandbox or lasts for ever, and its runner tells that.
 *
 * The seed decides what each thread does; what comes of it also depends on the order of threads. Exit status 0 or 1.
 */
#include "syscalls_args.h"
#include "syscalls_table.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define STACKS       8
#define THREADS      3
#define PROCESSES    2
#define FAMILIES     3
#define ROUND_MS     1500
#define WARM_ROUNDS  3
#define SETUP_FAILED 99
#define DEATH_MS     120000
#define LASTING_KB   16384 /* what caches may still grow after the first rounds */

static volatile uint64_t *made; /* system calls, counted by all */
static int null;                /* /dev/null */

/* ---- what needs more than a line of the table ---- */

static void nothing(int signal)
{
	(void)signal;
}

static void change_handler(void)
{
	struct sigaction a = {.sa_handler = one_in(3)   ? SIG_IGN
										: one_in(4) ? SIG_DFL
													: nothing,
						  .sa_flags =
							  (int)any() & (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_NODEFER | SA_RESTART | SA_SIGINFO)};

	if (one_in(4))
		a.sa_mask.__val[0] = any();
	sigaction((int)signal_number(), &a, NULL);
}

static int leave(void *unused)
{
	(void)unused;
	raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	raw(SYS_exit, 0, 0, 0, 0, 0, 0);
	return 0;
}

/* A thread, or a process that shares much. */
static void start_sharer(void)
{
	static char stacks[STACKS][PAGE];
	static const int flags[] = {
		CLONE_FS,           CLONE_FILES,  CLONE_SYSVSEM, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID,
		CLONE_CHILD_SETTID, CLONE_PTRACE, CLONE_IO,      CLONE_PIDFD,         CLONE_PARENT};
	int some = one_in(2) ? CLONE_VM | CLONE_SIGHAND | CLONE_THREAD : CLONE_VM | SIGCHLD;

	for (int i = below(4); i > 0; i--)
		some |= flags[below(sizeof(flags) / sizeof(*flags))];
	clone(leave, stacks[below(STACKS)] + PAGE - 64, some, NULL, BUFFER + below(100) * 4, NULL, BUFFER + below(100) * 4);
}

/* A child with memory of its own, or one that its parent waits for (vfork), that ends in one way or another. */
static void start_child(void)
{
	static const uint64_t flags[] = {NAMESPACES, CLONE_IO, CLONE_PTRACE, CLONE_PARENT, CLONE_CLEAR_SIGHAND};
	static char *const arguments[] = {(char *)"syscalls", (char *)"--exit", NULL};
	uint64_t some = one_in(3) ? CLONE_VM | CLONE_VFORK : 0, how = below(8),
			 at = put_string(one_in(4) ? "/proc/self/fd/9" : "/proc/self/exe"), garbage = pointer();
	long pid;

	for (int i = below(4); i > 0; i--)
		some |= flags[below(sizeof(flags) / sizeof(*flags))];
	if (one_in(2)) {
		uint64_t args[11] = {some, (uint64_t)BUFFER, (uint64_t)BUFFER + 64, (uint64_t)BUFFER + 128,
							 one_in(8) ? signal_number() : SIGCHLD};

		pid = raw(SYS_clone3, put(args, sizeof(args)), one_in(8) ? number() : 64 + 8 * below(4), 0, 0, 0, 0);
	} else {
		pid = raw(SYS_clone, (some & ~(uint64_t)CLONE_CLEAR_SIGHAND) | SIGCHLD, 0, garbage, garbage, 0, 0);
	}
	if (pid)
		return;
	if (how < 3)
		raw(SYS_execve, at, how ? (uint64_t)arguments : garbage, how == 2 ? garbage : 0, 0, 0, 0);
	else if (how == 3)
		raw(SYS_execveat, (uint64_t)AT_FDCWD, at, (uint64_t)arguments, 0, garbage & 0x1100, 0);
	else if (how == 4)
		raw(SYS_rt_sigreturn, 0, 0, 0, 0, 0, 0);
	else if (how == 5)
		raw(SYS_pause, 0, 0, 0, 0, 0, 0);
	for (;;)
		raw(SYS_exit_group, how, 0, 0, 0, 0, 0);
}

/* Something of each kind of descriptor. */
static void open_something(void)
{
	int pair[2];
	uint64_t kind = below(20);
	sigset_t all;

	switch (kind) {
	case 0:
	case 1:
		open(random_path(true), O_RDWR | O_CREAT | O_NONBLOCK, 0666);
		break;
	case 2:
		if (pipe2(pair, one_in(4) ? 0 : O_NONBLOCK))
			return;
		break;
	case 3:
		socketpair(AF_UNIX,
				   (int[]){SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}[below(3)] | (one_in(4) ? 0 : SOCK_NONBLOCK), 0,
				   pair);
		break;
	case 4:
		eventfd(1, EFD_NONBLOCK);
		break;
	case 5:
		epoll_create1(0);
		break;
	case 6:
		inotify_init1(IN_NONBLOCK);
		break;
	case 7:
		sigfillset(&all);
		signalfd(-1, &all, SFD_NONBLOCK);
		break;
	case 8:
		timerfd_create(one_in(2) ? CLOCK_REALTIME : CLOCK_MONOTONIC, TFD_NONBLOCK);
		break;
	case 9:
	case 10:
		socket(one_in(2) ? AF_INET : AF_INET6, (one_in(2) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
		break;
	case 11:
		socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, one_in(2) ? 0 : 15);
		break;
	case 12:
		memfd_create("m", MFD_ALLOW_SEALING);
		break;
	case 13:
		pair[0] = open("/dev/ptmx", O_RDWR | O_NONBLOCK | O_NOCTTY);
		ioctl(pair[0], TIOCSPTLCK, &(int){0});
		ioctl(pair[0], TIOCGPTPEER, O_RDWR | O_NONBLOCK);
		break;
	case 14:
		raw(SYS_pidfd_open, task(), 0, 0, 0, 0, 0);
		break;
	case 15:
		open(".", O_TMPFILE | O_RDWR, 0600);
		break;
	case 16:
		open(one_in(2) ? "." : PLACE "/d1", one_in(2) ? O_PATH : O_DIRECTORY);
		break;
	default:
		open(random_path(false), (one_in(2) ? O_RDONLY : O_RDWR) | O_NONBLOCK);
	}
}

/* ---- threads, processes, families ---- */

static void step(void)
{
	const struct call *c = &calls[below(sizeof(calls) / sizeof(*calls))];
	const uint64_t *list = c->values;
	uint64_t a[6] = {0};

	switch (below(60)) {
	case 0:
		start_sharer();
		break;
	case 1:
		start_child();
		break;
	case 2:
		change_handler();
		break;
	case 3:
	case 4:
		open_something();
		break;
	case 5:
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		break;
	case 6:
		*(volatile uint64_t *)(BUFFER + below(BUFFER_PAGES * PAGE) / 8 * 8) = number();
		break;
	}
	/* What ends most of a family's work is seldom done. */
	if ((c->number == SYS_chroot || c->number == SYS_pivot_root || c->number == SYS_seccomp ||
		 c->number == SYS_close_range || c->number == SYS_setuid) &&
		!one_in(20))
		return;
	for (int i = 0; c->kinds[i]; i++)
		a[i] = argument(c->kinds[i], &list);
	if (c->number == SYS_process_vm_writev)
		a[0] = (uint64_t)getpid(), a[3] = a[1];
	if (c->number == SYS_kill && (int)a[0] == -1)
		return;
	raw(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	__atomic_add_fetch(made, 1, __ATOMIC_RELAXED);
}

static volatile int worker_ids[THREADS];

static void *work(void *seed)
{
	uint64_t *mine = seed;

	seed_with(mine[0], mine[1]);
	worker_ids[mine[1] % THREADS] = (int)raw(SYS_gettid, 0, 0, 0, 0, 0, 0);
	for (;;)
		step();
	return NULL;
}

static void limit(int what, rlim_t value)
{
	setrlimit(what, &(struct rlimit){value, value});
}

/* One process: threads that make system calls, and the first that interrupts those which sleep. */
static void process(uint64_t seed)
{
	static uint64_t seeds[THREADS][2];
	struct sigaction a = {.sa_handler = nothing};
	pthread_t thread;

	seed_with(seed, THREADS);
	for (int s = 1; s < NSIG; s++)
		if (s != SIGSEGV && s != SIGBUS && s != SIGILL && s != SIGFPE)
			sigaction(s, &a, NULL);
	for (int i = 0; i < 24; i++)
		open_something();
	limit(RLIMIT_NPROC, 80);
	for (int i = 0; i < THREADS; i++) {
		seeds[i][0] = seed;
		seeds[i][1] = i;
		if (pthread_create(&thread, NULL, work, seeds[i]))
			_exit(1);
	}
	for (;;) {
		raw(SYS_nanosleep, (uint64_t) & (struct timespec){0, 1000000}, 0, 0, 0, 0, 0);
		for (int i = 0; i < THREADS; i++)
			raw(SYS_tkill, worker_ids[i], SIGUSR1, 0, 0, 0, 0);
	}
}

/* The init of a family's namespaces: starts its processes anew when they end, or when they have had their time. */
static int family(void *which)
{
	uint64_t seed = ((uint64_t *)which)[0], kind = ((uint64_t *)which)[1];
	pid_t pids[PROCESSES];

	seed_with(seed, kind);
	setsid();
	umask(0);
	/* All have the same /dev; the parent's /tmp is not for us. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("/dev", "/dev", NULL, MS_BIND, NULL) ||
		mount(NULL, "/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) || mount("proc", "/proc", "proc", 0, NULL) ||
		mount("fuzz", "/tmp", "tmpfs", 0, "size=8m,mode=1777") || mkdir(PLACE, 0777) || chdir(PLACE) ||
		mkdir("d1", 0777) || mkdir("d1/d2", 0777) || mkfifo("fifo", 0666) || symlink("d1", "link") ||
		symlink("loop", "loop"))
		_exit(SETUP_FAILED);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	limit(RLIMIT_NOFILE, 100);
	limit(RLIMIT_FSIZE, 1 << 20);
	limit(RLIMIT_AS, 64 << 20);
	limit(RLIMIT_MEMLOCK, 1 << 20);
	limit(RLIMIT_CORE, 0);
	if (kind && (setgid(USER) || setuid(USER)))
		_exit(SETUP_FAILED);
	if (kind == 2 && unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET))
		_exit(SETUP_FAILED);
	if (mmap(BUFFER, (BUFFER_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == MAP_FAILED ||
		mprotect(BUFFER + BUFFER_PAGES * PAGE, PAGE, PROT_READ))
		_exit(SETUP_FAILED);
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = 0;
	for (uint64_t n = 0;; n++) {
		for (int i = 0; i < PROCESSES; i++) {
			if (pids[i] && one_in(30))
				kill(pids[i], SIGKILL);
			if (!pids[i]) {
				uint64_t next = any();

				pids[i] = fork();
				if (!pids[i])
					process(next);
			}
		}
		usleep(10000);
		kill(-1, SIGCONT);
		for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0;)
			for (int i = 0; i < PROCESSES; i++)
				if (pids[i] == pid)
					pids[i] = 0;
	}
	return 0;
}

static _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *fmt, ...)
{
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	printf("FAIL ");
	vprintf(fmt, ap);
	__builtin_va_end(ap);
	putchar('\n');
	fflush(stdout);
	_exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What the tasks that are left do. */
static void tell_tasks(void)
{
	static const char *const files[] = {"comm", "wchan", "syscall", "stat"};
	char name[64], text[512];
	ssize_t n;

	for (int pid = 2; pid < 100000; pid++) {
		if (kill(pid, 0))
			continue;
		for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
			snprintf(name, sizeof(name), "/proc/%d/%s", pid, files[i]);
			int fd = open(name, O_RDONLY);
			n = read(fd, text, sizeof(text) - 1);
			close(fd);
			text[n < 0 ? 0 : n] = 0;
			printf("%d %s: %s\n", pid, files[i], text);
		}
	}
}

static void round_of(uint64_t seed)
{
	static char stacks[FAMILIES][4 * PAGE] __attribute__((aligned(16)));
	uint64_t which[FAMILIES][2], deadline;
	pid_t pids[FAMILIES];
	int left = FAMILIES, status;

	/* What root's family did to the root is undone. */
	if (mount(NULL, "/", NULL, MS_REMOUNT, NULL) || chmod("/", 0755))
		fail("the root: %s", strerror(errno));
	for (int i = 0; i < FAMILIES; i++) {
		which[i][0] = seed;
		which[i][1] = i;
		pids[i] = clone(family, stacks[i] + sizeof(stacks[i]),
						CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS | SIGCHLD, which[i]);
		if (pids[i] < 0)
			fail("clone: %s", strerror(errno));
	}
	usleep(ROUND_MS * 1000);
	for (int i = 0; i < FAMILIES; i++)
		kill(pids[i], SIGKILL);
	for (deadline = now_ms() + DEATH_MS; left; usleep(1000)) {
		for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0; left--)
			if (WIFEXITED(status) && WEXITSTATUS(status) == SETUP_FAILED)
				fail("a family could not start");
		if (now_ms() > deadline) {
			tell_tasks();
			fail("%d families do not die", left);
		}
	}
}

static void check_things(void)
{
	char text[64], *memory;
	struct itimerspec soon = {.it_value = {0, 2000000}};
	uint64_t expired = 0;
	int fds[2], status, timer, file;
	pid_t child;

	if (pipe(fds) || (child = fork()) < 0)
		fail("pipe or fork: %s", strerror(errno));
	if (!child) {
		if (write(fds[1], "sound", 5) != 5)
			_exit(1);
		_exit(7);
	}
	if (read(fds[0], text, sizeof(text)) != 5 || memcmp(text, "sound", 5) || waitpid(child, &status, 0) != child ||
		status != 7 << 8)
		fail("a child and its pipe");
	close(fds[0]);
	close(fds[1]);
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	if (timer < 0 || timerfd_settime(timer, 0, &soon, NULL) || read(timer, &expired, 8) != 8 || !expired)
		fail("a timer: %s", strerror(errno));
	close(timer);
	file = open("/tmp/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file < 0)
		fail("a file: %s", strerror(errno));
	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (ftruncate(file, 2 * PAGE) || memory == MAP_FAILED || pwrite(file, "written", 7, PAGE - 3) != 7 ||
		memcmp(memory + PAGE - 3, "written", 7))
		fail("a file and its mapping: %s", strerror(errno));
	memory[PAGE] = 'T';
	if (pread(file, text, 7, PAGE - 3) != 7 || memcmp(text, "wriTten", 7))
		fail("a mapping and its file");
	munmap(memory, 2 * PAGE);
	close(file);
	unlink("/tmp/file");
}

static long free_kb(void)
{
	char line[128];
	long kb = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "MemFree: %ld kB", &kb) != 1)
		;
	if (f)
		fclose(f);
	return kb;
}

int main(int argc, char **argv)
{
	uint64_t seed, end, rounds = 0;
	long kb = 0;

	if (argc < 3 || strspn(argv[1], "0123456789") != strlen(argv[1]))
		return 0; /* started by a family */
	setvbuf(stdout, NULL, _IOLBF, 0);
	seed = strtoull(argv[1], NULL, 10);
	end = now_ms() + strtoull(argv[2], NULL, 10) * 1000;
	printf("seed %llu\n", (unsigned long long)seed);
	made = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		fail("/dev/null: %s", strerror(errno));
	if (mount("own", "/tmp", "tmpfs", 0, NULL))
		fail("/tmp: %s", strerror(errno));
	for (; rounds < WARM_ROUNDS + 1 || now_ms() < end; rounds++) {
		round_of(seed + rounds);
		check_things();
		if (argc > 3)
			printf("round %d: seed %llu, %ld kB free, %llu calls\n", (int)rounds, (unsigned long long)(seed + rounds),
				   free_kb(), (unsigned long long)*made);
		if (rounds == WARM_ROUNDS)
			kb = free_kb();
	}
	kb -= free_kb();
	printf("%llu calls in %d rounds, %ld kB less free than after the first\n", (unsigned long long)*made, (int)rounds,
		   kb);
	if (kb > LASTING_KB)
		fail("memory is lost");
	return 0;
}
