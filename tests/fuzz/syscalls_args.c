// SPDX-License-Identifier: Apache-2.0
/*
 * What the fuzzer of system calls passes: numbers, pointers to good, bad and half good memory, descriptors, names and
 * structures.
 */
#include "syscalls_args.h"

#include "syscalls_table.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/un.h>
#include <unistd.h>

#define OWN_PATHS    16            /* the first of these: relative, the fuzzer's own */
#define ARENA        0x200000000ul /* what is mapped and unmapped all the time */
#define ARENA_PAGES  64ul

/* clang-format off */
static const char *const paths[] = {
	"f1", "f2", "d1", "d1/f3", "d1/d2", "d1/../f1", "link", "link/f3", "loop", "fifo", "sock", ".", "..", "", "/",
	"missing", "missing/f", PLACE "/f1", PLACE "/d1", PLACE, "/dev/null", "/dev/zero", "/dev/full", "/dev/ptmx",
	"/dev/tty", "/dev/pts/0", "/dev/shm", "/dev/mqueue", "/proc", "/proc/self/mem", "/proc/self/maps",
	"/proc/self/smaps", "/proc/self/fd/5", "/proc/self/fdinfo/5", "/proc/self/cwd/f1", "/proc/self/root",
	"/proc/self/exe", "/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid_for_children",
	"/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/setgroups", "/proc/self/attr/current",
	"/proc/self/environ", "/proc/self/cmdline", "/proc/self/auxv", "/proc/self/pagemap", "/proc/self/clear_refs",
	"/proc/self/oom_score_adj", "/proc/self/mountinfo", "/proc/self/stat", "/proc/self/syscall", "/proc/self/wchan",
	"/proc/thread-self/comm", "/proc/thread-self/status", "/proc/1/status", "/proc/2/fd", "/proc/3/task",
	"/proc/3/mem", "/proc/net/tcp", "/proc/net/unix", "/proc/meminfo", "/proc/stat", "/proc/sys/kernel/msgmax",
	"/proc/sys/kernel/sem", "/proc/sys/kernel/ns_last_pid", "/proc/mounts", "/proc/sysvipc/shm", "/proc/locks",
	"/sys", "/sys/fs/cgroup", "/sys/class/net/lo/mtu", "/sys/devices/system/cpu/online",
};
static const char *const names[] = {
	"tmpfs", "proc", "overlay", "ramfs", "mqueue", "devpts", "sysfs", "cgroup2", "user.a", "user.b",
	"system.posix_acl_access", "trusted.x", "security.capability", "/q1", "q2", "size=1m", "mode", "source",
	"lowerdir=d1,upperdir=d1/d2,workdir=d1/d2", "name", "",
};
/* clang-format on */

static __thread uint64_t state; /* of this thread's random numbers */

uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull >> 8;
}

uint64_t below(uint64_t n)
{
	return any() % n;
}

bool one_in(uint64_t n)
{
	return !below(n);
}

void seed_with(uint64_t a, uint64_t b)
{
	state = (a * 0x9e3779b97f4a7c15ull ^ (b + 1) * 0xbf58476d1ce4e5b9ull) | 1;
	for (int i = 0; i < 8; i++)
		any();
}

uint64_t number(void)
{
	switch (below(12)) {
	case 0:
		return (uint64_t)-1;
	case 1:
		return 1ull << below(64);
	case 2:
		return (1ull << below(64)) - 1;
	case 3:
		return any();
	case 4:
		return (uint64_t)(int64_t)INT32_MIN;
	case 5:
		return below(65536);
	case 6:
		return PAGE * below(20) - below(2);
	default:
		return below(16);
	}
}

/* ---- pointers ---- */

static uint64_t arena(void)
{
	return ARENA + below(ARENA_PAGES) * PAGE;
}

/* An address for `size` bytes, and these bytes there if it is a good one. */
uint64_t put(const void *bytes, size_t size)
{
	char *end = BUFFER + BUFFER_PAGES * PAGE, *at = BUFFER + below(BUFFER_PAGES * PAGE - 512) / 8 * 8;
	size_t cut;

	switch (below(24)) {
	case 0:
		return 0;
	case 1:
		return below(2) ? 8 : number();
	case 2: /* the kernel's, and an address that is none */
		return below(2) ? 0xffff800000000000ull + below(1 << 20) * 8 : 0x800000000000ull - below(32);
	case 3:
		return (uint64_t)end + PAGE - below(16); /* read only, then nothing */
	case 4:                                      /* crosses into what can only be read */
		cut = below(size + 1);
		memcpy(end - cut, bytes, cut);
		return (uint64_t)(end - cut);
	case 5:
		at = (char *)arena() + PAGE * below(2) - below(size + 8);
		struct iovec here = {(void *)bytes, size}, there = {at, size};
		raw(SYS_process_vm_writev, getpid(), (uint64_t)&here, 1, (uint64_t)&there, 1, 0);
		return (uint64_t)at;
	case 6:
		at += below(8);
		break;
	}
	if (size <= 512)
		memcpy(at, bytes, size);
	return (uint64_t)at;
}

uint64_t put_string(const char *s)
{
	return put(s, strlen(s) + 1);
}

const char *random_path(bool own)
{
	return paths[below(own ? OWN_PATHS : sizeof(paths) / sizeof(*paths))];
}

static uint64_t path(void)
{
	char longer[480];

	switch (below(16)) {
	case 0:
		memset(longer, below(2) ? 'x' : '/', sizeof(longer));
		longer[below(sizeof(longer))] = 0;
		longer[sizeof(longer) - 1] = 0;
		return put_string(longer);
	case 1:
		snprintf(longer, sizeof(longer), "/proc/self/fd/%d", (int)below(40));
		return put_string(longer);
	default:
		return put_string(random_path(one_in(2)));
	}
}

uint64_t pointer(void)
{
	uint64_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = one_in(3) ? (uint64_t)BUFFER + below(BUFFER_PAGES * PAGE) : number();
	return put(bytes, sizeof(bytes));
}

static struct timespec moment(void)
{
	if (one_in(8))
		return (struct timespec){(time_t)number(), (long)number()};
	return (struct timespec){0, (long)below(2000000)};
}

uint64_t task(void)
{
	switch (below(8)) {
	case 0:
		return 0;
	case 1:
		return (uint64_t)getpid();
	case 2:
		return (uint64_t)raw(SYS_gettid, 0, 0, 0, 0, 0, 0);
	case 3:
		return one_in(4) ? number() : 0x3ffffff;
	default:
		return 2 + below(24);
	}
}

/* Signals that do not end what they reach, most of the time. */
uint64_t signal_number(void)
{
	static const uint8_t mild[] = {SIGUSR1, SIGUSR2, SIGCHLD, SIGCONT, SIGALRM, SIGWINCH, SIGIO,
								   SIGURG,  34,      40,      63,      64,      0};

	return one_in(12) ? below(66) : mild[below(sizeof(mild))];
}

static uint64_t descriptor(void)
{
	return one_in(24) ? number() : below(40);
}

static uint64_t sockaddr(void)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		uint64_t words[16];
	} a = {0};

	switch (below(4)) {
	case 0:
		a.in =
			(struct sockaddr_in){AF_INET, htons(2000 + below(4)), {htonl(one_in(4) ? number() : INADDR_LOOPBACK)}, {0}};
		break;
	case 1:
		a.in6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = htons(2000 + below(4)), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
		break;
	case 2:
		a.un = (struct sockaddr_un){AF_UNIX, "sock"};
		a.un.sun_path[0] = below(2) ? 's' : 0;
		break;
	default:
		a.words[0] = number();
		a.words[1] = number();
	}
	return put(&a, sizeof(a));
}

static struct iovec *vector(struct iovec *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = (struct iovec){(void *)(one_in(2) ? arena() : (uint64_t)BUFFER + below(BUFFER_PAGES * PAGE)),
							  one_in(8) ? number() : below(3 * PAGE)};
	return v;
}

static uint64_t message(void)
{
	struct iovec v[2];
	struct {
		struct cmsghdr head;
		int fds[4];
	} control = {{sizeof(control) - below(5) * 4, SOL_SOCKET, one_in(4) ? below(4) : SCM_RIGHTS},
				 {descriptor(), descriptor(), descriptor(), 0}};
	struct msghdr m = {.msg_iov = (void *)put(vector(v, 2), sizeof(v)), .msg_iovlen = one_in(8) ? number() : below(3)};

	if (one_in(3)) {
		m.msg_name = (void *)sockaddr();
		m.msg_namelen = below(128);
	}
	if (one_in(2)) {
		m.msg_control = (void *)put(&control, sizeof(control));
		m.msg_controllen = one_in(8) ? number() : sizeof(control);
	}
	return put(&m, sizeof(m));
}

static uint64_t filter(void)
{
	struct sock_filter code[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, below(20) * 4},
								 {BPF_JMP | BPF_JEQ | BPF_K, below(3), 0, below(450)},
								 {one_in(8) ? any() : BPF_ALU | BPF_ADD | BPF_K, 0, 0, number()},
								 {BPF_RET | BPF_K, 0, 0, one_in(4) ? 0x50000 + below(200) : 0x7fff0000}};
	struct sock_fprog p = {one_in(8) ? number() : 4, (void *)put(code, sizeof(code))};

	return put(&p, sizeof(p));
}

/* ---- one argument ---- */

static uint64_t from_list(const uint64_t **list, bool together)
{
	const uint64_t *v = *list;
	uint64_t n = 0, value = 0;

	while (v[n] != END)
		n++;
	*list = v + n + 1;
	if (one_in(30))
		return number();
	if (!together)
		return v[below(n)];
	for (uint64_t k = below(4); k > 0; k--)
		value |= v[below(n)];
	return value;
}

uint64_t argument(char kind, const uint64_t **list)
{
	union {
		uint64_t words[16];
		struct timespec times[2];
		struct iovec vector[6];
		struct pollfd polls[8];
		struct epoll_event epoll;
		struct flock lock;
		struct sigevent event;
		struct sembuf sems[4];
		struct rlimit limit;
	} u;

	memset(&u, 0, sizeof(u));
	if (one_in(60))
		return number();
	switch (kind) {
	case 'f': /* a descriptor */
		return descriptor();
	case 'd': /* of a directory, or AT_FDCWD */
		return one_in(2) ? (uint64_t)AT_FDCWD : descriptor();
	case 'n': /* the number of a new one */
		return below(48);
	case 'p':
		return path();
	case 'b': /* something in memory */
		return pointer();
	case 'N':
		return put_string(names[below(sizeof(names) / sizeof(*names))]);
	case 'l': /* a length */
		return one_in(6) ? number() : below(3 * PAGE);
	case 'o': /* an offset in a file */
		return one_in(8) ? number() : one_in(2) ? below(64) * PAGE : below(1 << 20);
	case 'i': /* a small number */
		return one_in(12) ? number() : below(8);
	case 'x':
		return number();
	case 'c':
	case 'F':
		return from_list(list, kind == 'F');
	case 's':
		return signal_number();
	case 't':
		return task();
	case 'u': /* a user or a group */
		return one_in(3) ? number() : below(2) ? USER : 0;
	case 'm': /* an address in the arena, and how much of it */
		return arena() + (one_in(16) ? below(PAGE) : 0);
	case 'M':
		return one_in(40) ? number() : (1 + below(16)) * PAGE - one_in(8);
	case 'w': /* a word that threads wait on */
		return (uint64_t)(BUFFER + PAGE * (1 + below(2)) + 4 * below(4));
	case 'T':
		u.times[0] = moment();
		return one_in(6) ? 0 : put(&u, sizeof(u.times[0]));
	case 'I': /* two times */
		u.times[0] = moment();
		u.times[1] = moment();
		return put(&u, sizeof(u.times));
	case 'V':
		return put(vector(u.vector, 6), sizeof(u.vector));
	case 'H':
		return message();
	case 'a':
		return sockaddr();
	case 'A':
		return one_in(6) ? number() : one_in(2) ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	case 'P':
		for (int i = 0; i < 8; i++)
			u.polls[i] = (struct pollfd){descriptor(), any(), 0};
		return put(&u, sizeof(u.polls));
	case 'E':
		u.epoll = (struct epoll_event){
			EPOLLIN | (one_in(2) ? EPOLLET : 0) | (one_in(4) ? EPOLLONESHOT : 0) | (one_in(4) ? any() : 0), {0}};
		return put(&u, sizeof(u.epoll));
	case 'L':
		u.lock = (struct flock){below(4), below(3), one_in(8) ? (off_t)number() : (off_t)below(100),
								one_in(8) ? (off_t)number() : (off_t)below(100), 0};
		return put(&u, sizeof(u.lock));
	case 'g': /* signals; those that interrupt the threads seldom */
		u.words[0] = one_in(4) ? any() : any() & ~(1ull << (SIGUSR1 - 1));
		return put(&u, 8);
	case 'G':
		return 8;
	case 'R':
		u.limit = (struct rlimit){1 << 20, 1 << 20};
		return put(&u, sizeof(u.limit));
	case 'Q':
		u.event = (struct sigevent){.sigev_notify = one_in(3) ? (int)below(6) : SIGEV_SIGNAL,
									.sigev_signo = (int)signal_number()};
		return put(&u, sizeof(u.event));
	case 'K':
		u.words[0] = one_in(2) ? O_RDWR | O_NONBLOCK : O_PATH;
		u.words[2] = one_in(8) ? number() : below(64);
		return put(&u, 24);
	case 'S':
		for (int i = 0; i < 4; i++)
			u.sems[i] = (struct sembuf){below(4), (short)below(7) - 3, below(2) ? IPC_NOWAIT : SEM_UNDO};
		return put(&u, sizeof(u.sems));
	case 'B':
		return filter();
	default:
		abort();
	}
}
