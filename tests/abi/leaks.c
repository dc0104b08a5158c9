/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is made and unmade many times leaves nothing behind: MemFree of the kernel does not fall round after round. Each kind
 * of thing is a test of its own, so that a failure names the leak. On Linux, where other programs take memory meanwhile
 * (ABI_SHARED_MACHINE is set), the loops run a little and nothing is measured.
 */
#include "abi.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>

#define ROUNDS    4  /* all of them must lose memory: caches fill once */
#define SLACK_KIB 12 /* of one round: less than a hundred bytes each time */
#define FIELDS    7

extern char **environ;

static const char *const fields[FIELDS] = {"MemFree", "Slab", "KernelStack", "PageTables", "AnonPages", "Cached", "Mapped"};

static void meminfo(long v[FIELDS])
{
	static char buf[8192];
	int fd = open("/proc/meminfo", O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[n > 0 ? n : 0] = 0;
	for (int i = 0; i < FIELDS; i++) {
		char key[32];
		snprintf(key, sizeof(key), "%s:", fields[i]);
		char *p = strstr(buf, key);
		v[i] = p ? atol(p + strlen(key)) : 0;
	}
}

static int tasks(void)
{
	char buf[128] = "", *slash;
	int fd = open("/proc/loadavg", O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	slash = n > 0 ? strchr(buf, '/') : NULL;
	return slash ? atoi(slash + 1) : -1;
}

static void repeat(void (*once)(void), unsigned times)
{
	bool measure = !getenv("ABI_SHARED_MACHINE");
	long before[FIELDS], after[FIELDS] = {0};
	unsigned failures = abi_failures;
	int tasks_before = tasks();

	for (unsigned i = 0; i < (measure ? times / 2 : 20) && abi_failures == failures; i++)
		once();
	for (unsigned round = 0; measure && round < ROUNDS; round++) {
		meminfo(before);
		for (unsigned i = 0; i < times; i++) {
			once();
			if (abi_failures != failures)
				return;
		}
		meminfo(after);
		if (before[0] - after[0] < SLACK_KIB)
			measure = false;
	}
	if (measure) {
		abi_fail(__FILE__, __LINE__, "memory is lost; KiB in the last round:");
		for (int i = 0; i < FIELDS; i++)
			printf("    %s %+ld\n", fields[i], after[i] - before[i]);
	}
	/* A thread may be joined, and a process waited for, a little before the last of it is gone. */
	for (int i = 0; i < 20000 && !getenv("ABI_SHARED_MACHINE") && tasks() != tasks_before; i++)
		usleep(1000);
	if (!getenv("ABI_SHARED_MACHINE"))
		CHECK_EQ(tasks(), tasks_before);
}

#define LEAK_TEST(name, times) \
	static void name##_once(void); \
	static void name(void) { repeat(name##_once, times); } \
	static void name##_once(void)

LEAK_TEST(forks, 100)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(7);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
}

LEAK_TEST(forks_with_memory, 40)
{
	char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	memset(m, 1, 1 << 20);
	pid = fork();
	if (!pid) {
		memset(m, 2, 1 << 19);
		kill(getpid(), SIGKILL);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	CHECK_OK(munmap(m, 1 << 20));
}

LEAK_TEST(execs, 50)
{
	char *argv[] = {"/proc/self/exe", "no test has this name", NULL};
	posix_spawn_file_actions_t fa;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	CHECK_OK(posix_spawn(&pid, argv[0], &fa, NULL, argv, environ));
	posix_spawn_file_actions_destroy(&fa);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

LEAK_TEST(anonymous_memory, 200)
{
	char *m = mmap(NULL, 40 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(m, 1, 40 << 12);
	CHECK_OK(mprotect(m + (10 << 12), 1 << 12, PROT_READ));
	CHECK_OK(madvise(m, 5 << 12, MADV_DONTNEED));
	char *moved = mremap(m, 10 << 12, 60 << 12, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED);
	CHECK_OK(munmap(moved, 60 << 12) | munmap(m + (10 << 12), 30 << 12));
}

LEAK_TEST(shared_memory, 200)
{
	char *m = mmap(NULL, 20 << 12, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memset(m, 1, 20 << 12);
	CHECK_OK(munmap(m, 20 << 12));
}

LEAK_TEST(far_apart, 100)
{
	for (uintptr_t a = 0x100000000000; a < 0x500000000000; a += 0x80000000000) {
		char *m = mmap((void *)a, 1 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (CHECK(m == (char *)a)) {
			*m = 1;
			CHECK_OK(munmap(m, 1 << 12));
		}
	}
}

LEAK_TEST(file_mappings, 200)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char *m = mmap(NULL, 20 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), *n;

	CHECK(m != MAP_FAILED && m[0] == 0x7f);
	m[4096] = 1;
	n = mmap(NULL, 20 << 12, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(n != MAP_FAILED && n[0] == 0x7f);
	CHECK_OK(munmap(m, 20 << 12) | munmap(n, 20 << 12) | close(fd));
}

LEAK_TEST(files, 300)
{
	char buf[9000] = "x";
	int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0600);

	CHECK(write(fd, buf, sizeof(buf)) == sizeof(buf));
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED && m[0] == 'x');
	m[1] = 'y';
	CHECK_OK(munmap(m, 8192) | ftruncate(fd, 10) | link("file", "other") | rename("other", "third") | unlink("third"));
	CHECK_OK(symlink("file", "link") | unlink("link") | mkdir("dir", 0700) | rmdir("dir") | mkfifo("fifo", 0600) | unlink("fifo"));
	CHECK_OK(unlink("file") | close(fd));
}

LEAK_TEST(file_locks, 300)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct flock l = {.l_type = F_RDLCK, .l_start = 5, .l_len = 10}, o = {.l_type = F_RDLCK, .l_len = 3};

	CHECK_OK(fcntl(fd, F_SETLK, &l) | fcntl(fd, F_OFD_SETLK, &o) | close(fd));
}

LEAK_TEST(missing_names, 300)
{
	CHECK_ERRNO(open("/no/such/file", O_RDONLY), ENOENT);
	CHECK_ERRNO(access("nothing", F_OK), ENOENT);
}

LEAK_TEST(pipes, 300)
{
	char buf[6000] = "";
	int p[2];

	CHECK_OK(pipe(p));
	CHECK(write(p[1], buf, sizeof(buf)) == sizeof(buf) && read(p[0], buf, 10) == 10);
	CHECK_OK(close(p[0]) | close(p[1]));
}

LEAK_TEST(splices, 200)
{
	int p[2], q[2], fd = open("/proc/self/exe", O_RDONLY);

	CHECK_OK(pipe(p) | pipe(q));
	CHECK(splice(fd, NULL, p[1], NULL, 8192, 0) > 0);
	CHECK(tee(p[0], q[1], 8192, 0) > 0);
	CHECK(sendfile(q[1], fd, NULL, 100) == 100);
	CHECK_OK(close(p[0]) | close(p[1]) | close(q[0]) | close(q[1]) | close(fd));
}

static void pass_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
	struct iovec iov = {"x", 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK(sendmsg(sock, &m, 0) == 1);
}

LEAK_TEST(socket_pairs, 300)
{
	char buf[3000] = "";
	int s[2], d[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) | socketpair(AF_UNIX, SOCK_DGRAM, 0, d));
	CHECK(write(s[0], buf, sizeof(buf)) == sizeof(buf) && read(s[1], buf, 10) == 10 && write(d[0], buf, 100) == 100);
	pass_fd(s[0], d[0]); /* never received */
	CHECK_OK(close(s[0]) | close(s[1]) | close(d[0]) | close(d[1]));
}

/* Sockets that hold each other through messages in flight (unix(7): the kernel finds such cycles). */
LEAK_TEST(socket_cycles, 100)
{
	int s[2], d[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) | socketpair(AF_UNIX, SOCK_STREAM, 0, d));
	pass_fd(s[0], d[0]);
	pass_fd(s[0], d[1]);
	pass_fd(d[0], s[0]);
	pass_fd(d[0], s[1]);
	CHECK_OK(close(s[0]) | close(s[1]) | close(d[0]) | close(d[1]));
}

/* A connection that nobody accepts carries its own listener. */
LEAK_TEST(socket_cycles_over_listeners, 100)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_OK(bind(l, (void *)&a, sizeof(a)) | listen(l, 3) | connect(c, (void *)&a, sizeof(a)));
	pass_fd(c, l);
	CHECK_OK(close(l) | close(c) | unlink("socket"));
}

/* Each socket carries the one before; Linux limits the depth. Those that still can be received are. */
LEAK_TEST(socket_chains, 4)
{
	int s[2], last = -1, depth = 0;

	for (; depth < 600; depth++) {
		char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
		struct iovec iov = {"x", 1};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
		*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &last, sizeof(last));
		if (last >= 0 && sendmsg(s[0], &m, 0) < 0) {
			CHECK(errno == ETOOMANYREFS && depth > 3);
			close(s[0]);
			close(s[1]);
			break;
		}
		if (last >= 0)
			close(last);
		close(s[0]);
		last = s[1];
	}
	for (int i = 0; i < 3; i++) {
		char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))), byte;
		struct iovec iov = {&byte, 1};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};

		if (!CHECK(recvmsg(last, &m, 0) == 1 && CMSG_FIRSTHDR(&m)))
			break;
		close(last);
		memcpy(&last, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(last));
	}
	close(last);
}

LEAK_TEST(connections, 200)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), s;

	CHECK_OK(bind(l, (void *)&a, sizeof(a)) | listen(l, 3) | connect(c, (void *)&a, sizeof(a)));
	s = accept(l, NULL, NULL);
	CHECK(s >= 0 && write(c, "hello", 5) == 5);
	CHECK_OK(close(s) | close(c));
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_OK(connect(c, (void *)&a, sizeof(a)) | close(l) | close(c) | unlink("socket")); /* never accepted */
}

static void *thread(void *arg) { return arg; }

LEAK_TEST(threads, 150)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		CHECK_OK(pthread_create(&t[i], NULL, thread, NULL));
	for (int i = 0; i < 3; i++)
		CHECK_OK(pthread_join(t[i], NULL));
}

static void *sleeper(void *arg)
{
	poll(NULL, 0, -1);
	return NULL;
}

/* A process with threads that is killed, one that execs. */
LEAK_TEST(threads_that_die, 25)
{
	for (int how = 0; how < 2; how++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			pthread_t t[3];
			for (int i = 0; i < 3; i++)
				pthread_create(&t[i], NULL, sleeper, NULL);
			dup2(open("/dev/null", O_WRONLY), 1);
			if (how)
				execl("/proc/self/exe", "leaks", "no test has this name", NULL);
			kill(getpid(), SIGKILL);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
	}
}

LEAK_TEST(event_files, 200)
{
	struct itimerspec its = {.it_value.tv_sec = 100};
	struct epoll_event e = {.events = EPOLLIN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	int ep = epoll_create1(0), ev = eventfd(1, 0), tf = timerfd_create(CLOCK_MONOTONIC, 0), sf = signalfd(-1, &set, 0);
	int p[2], in = inotify_init1(0), m = memfd_create("m", 0);
	CHECK_OK(pipe(p) | timerfd_settime(tf, 0, &its, NULL));
	int fds[] = {ev, tf, sf, p[0], in};
	for (int i = 0; i < 5; i++)
		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e));
	CHECK(inotify_add_watch(in, ".", IN_ALL_EVENTS) >= 0 && epoll_wait(ep, &e, 1, 0) == 1);
	CHECK_OK(mkdir("watched", 0700) | rmdir("watched")); /* events that nobody reads */
	CHECK(write(m, "x", 1) == 1);
	for (int i = 0; i < 5; i++)
		CHECK_OK(close(fds[i]));
	CHECK_OK(close(p[1]) | close(ep) | close(m));
}

LEAK_TEST(timers_and_signals, 200)
{
	struct sigevent se = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec its = {.it_value.tv_nsec = 1, .it_interval.tv_sec = 10};
	struct timespec none = {0};
	siginfo_t si;
	sigset_t set;
	timer_t t;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &se, &t) | timer_settime(t, 0, &its, NULL));
	for (int i = 0; i < 5; i++)
		CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}));
	CHECK_OK(timer_delete(t));
	while (sigtimedwait(&set, &si, &none) > 0)
		;
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

LEAK_TEST(system_v, 150)
{
	struct sembuf op = {0, 1, SEM_UNDO};
	struct {
		long type;
		char text[100];
	} msg = {.type = 1};
	int sem = semget(IPC_PRIVATE, 3, 0600), shm = shmget(IPC_PRIVATE, 20000, 0600), q = msgget(IPC_PRIVATE, 0600);
	char *m = shmat(shm, NULL, 0);

	CHECK(m != (void *)-1);
	m[0] = m[10000] = 1;
	CHECK_OK(semop(sem, &op, 1) | msgsnd(q, &msg, sizeof(msg.text), 0) | shmdt(m));
	CHECK_OK(semctl(sem, 0, IPC_RMID) | shmctl(shm, IPC_RMID, NULL) | msgctl(q, IPC_RMID, NULL));
}

LEAK_TEST(message_queues, 150)
{
	struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 200};
	char buf[200] = "";
	mqd_t q = mq_open("/leaks", O_RDWR | O_CREAT | O_EXCL, 0600, &a);

	CHECK(q >= 0);
	CHECK_OK(mq_send(q, buf, 100, 1) | mq_unlink("/leaks") | mq_close(q));
}

LEAK_TEST(terminals, 100)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), s;

	CHECK_OK(grantpt(m) | unlockpt(m));
	s = open(ptsname(m), O_RDWR | O_NOCTTY);
	CHECK(s >= 0 && write(s, "text\n", 5) == 5 && write(m, "typed", 5) == 5);
	CHECK_OK(close(s) | close(m));
}

/* Files of processes that are gone when they are closed. */
LEAK_TEST(proc_files, 60)
{
	char name[64], buf[4096];
	int p[2], fds[4];
	pid_t pid;

	CHECK_OK(pipe(p));
	pid = fork();
	if (!pid) {
		close(p[1]);
		_exit(read(p[0], name, 1) != 0);
	}
	static const char *const files[] = {"status", "maps", "stat", "fd"};
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "/proc/%d/%s", pid, files[i]);
		fds[i] = open(name, O_RDONLY);
		CHECK(fds[i] >= 0 && (i == 3 || read(fds[i], buf, sizeof(buf)) > 0));
	}
	CHECK_OK(close(p[0]) | close(p[1]));
	CHECK(waitpid(pid, NULL, 0) == pid);
	for (int i = 0; i < 4; i++)
		CHECK_OK(close(fds[i]));
}

/* A descriptor that lasts, polled by processes that do not. */
LEAK_TEST(polled_by_children, 100)
{
	static int fd = -1;
	sigset_t set;
	int status;

	if (fd < 0) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		/* beyond those that the harness counts */
		int low = signalfd(-1, &set, SFD_CLOEXEC);
		fd = fcntl(low, F_DUPFD_CLOEXEC, 300);
		close(low);
	}
	pid_t pid = fork();
	if (!pid) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		_exit(poll(&p, 1, 1));
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void *filter_for_all(void *leader)
{
	struct sock_filter f[1000];
	struct sock_fprog prog = {1000, f};

	pthread_join(*(pthread_t *)leader, NULL);
	for (int i = 0; i < 1000; i++)
		f[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	for (int i = 0; i < 3; i++)
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog))
			_exit(1);
	_exit(0);
}

/* Filters for all threads, of which the first has exited. */
LEAK_TEST(filters, 40)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		static pthread_t self;
		pthread_t t;
		self = pthread_self();
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (pthread_create(&t, NULL, filter_for_all, &self))
			_exit(2);
		pthread_exit(NULL);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

LEAK_TEST(failures, 200)
{
	char *none[] = {NULL};
	int p[2];

	CHECK_ERRNO(execve("/dev/null", none, none), EACCES);
	CHECK_ERRNO(execve("/no/program", none, none), ENOENT);
	CHECK_ERRNO(pipe(BAD_POINTER), EFAULT);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD_POINTER), EFAULT);
	CHECK_OK(pipe(p));
	CHECK_ERRNO(write(p[1], BAD_POINTER, 5000), EFAULT);
	CHECK_ERRNO(open("/proc/self/exe", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, p[0], 0) == MAP_FAILED);
	CHECK_OK(close(p[0]) | close(p[1]));
}

static void scratch(void) { abi_scratch(); }

ABI_MAIN(ABI_TEST(scratch), ABI_TEST(forks), ABI_TEST(forks_with_memory), ABI_TEST(execs), ABI_TEST(anonymous_memory),
         ABI_TEST(shared_memory), ABI_TEST(far_apart), ABI_TEST(file_mappings), ABI_TEST(files), ABI_TEST(file_locks),
         ABI_TEST(missing_names), ABI_TEST(pipes), ABI_TEST(splices), ABI_TEST(socket_pairs), ABI_TEST(socket_cycles),
         ABI_TEST(socket_cycles_over_listeners), ABI_TEST(socket_chains),
         ABI_TEST(connections), ABI_TEST(threads), ABI_TEST(threads_that_die), ABI_TEST(event_files),
         ABI_TEST(timers_and_signals), ABI_TEST(system_v), ABI_TEST(message_queues), ABI_TEST(terminals), ABI_TEST(proc_files),
         ABI_TEST(polled_by_children), ABI_TEST(filters), ABI_TEST(failures))
