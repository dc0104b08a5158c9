/* SPDX-License-Identifier: Apache-2.0 */
/* Uts, ipc, network and cgroup namespaces, and what setns(2), /proc/PID/ns and pidfds have in common for all kinds. */
#include "ns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/un.h>
#include <sys/utsname.h>

static struct ns_steps steps;

static const char *host_name(void)
{
	static struct utsname u;
	uname(&u);
	return u.nodename;
}

static void rename_host(void)
{
	CHECK_EQ(sethostname("other", 5), 0);
	CHECK_EQ(setdomainname("there", 5), 0);
	CHECK(strcmp(host_name(), "other") == 0);
	CHECK(strcmp(ns_read("/proc/sys/kernel/hostname"), "other\n") == 0);
	CHECK(strcmp(ns_read("/proc/sys/kernel/domainname"), "there\n") == 0);
}

static void uts(void)
{
	char before[65];

	strcpy(before, host_name());
	CHECK_EQ(ns_child(CLONE_NEWUTS, rename_host), 0);
	CHECK(strcmp(host_name(), before) == 0);
}

/* Names that no other run beside this one has. */
#define KEY (0x6e000000 + names_of)
static pid_t names_of;
static char queue[32], inner_queue[32];

static int shm_outside;

static void other_objects(void)
{
	CHECK_ERRNO(shmget(KEY, 4096, 0), ENOENT);
	CHECK_ERRNO(msgget(KEY, 0), ENOENT);
	CHECK_ERRNO(semget(KEY, 1, 0), ENOENT);
	int id = shmget(KEY, 8192, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	void *p = shmat(id, NULL, 0);
	CHECK(p != (void *)-1);
	CHECK_EQ(msgget(KEY, IPC_CREAT | 0600) >= 0, 1);
	CHECK_EQ(semget(KEY, 3, IPC_CREAT | 0600) >= 0, 1);
	CHECK_ERRNO(mq_open(queue, O_RDWR), ENOENT);
	mqd_t q = mq_open(inner_queue, O_CREAT | O_RDWR, 0600, NULL);
	CHECK(q >= 0);
	CHECK_EQ(mq_send(q, "x", 1, 0), 0);
	mq_close(q);
	/* everything is left behind */
}

static void leave_with_segment(void)
{
	volatile char *p = shmat(shm_outside, NULL, 0);

	REQUIRE(p != (void *)-1);
	CHECK_EQ(unshare(CLONE_NEWIPC), 0);
	p[0] = 9; /* what is mapped stays */
	CHECK_ERRNO(shmctl(shm_outside, IPC_STAT, &(struct shmid_ds){0}), EINVAL);
	CHECK_EQ(shmdt((const void *)p), 0);
}

/* Pending adjustments are made when the semaphores can be reached no more. */
static int undo_sem;

static void leave_with_undo(void)
{
	CHECK_EQ(semop(undo_sem, &(struct sembuf){0, 3, SEM_UNDO}, 1), 0);
	CHECK_EQ(semctl(undo_sem, 0, GETVAL), 3);
	CHECK_EQ(unshare(CLONE_NEWIPC), 0);
	ns_tell(&steps, 1);
	ns_await(&steps, 1);
}

static void ipc(void)
{
	CHECK_ERRNO(ns_clone(CLONE_NEWIPC | CLONE_SYSVSEM), EINVAL);
	shm_outside = shmget(KEY, 4096, IPC_CREAT | 0600);
	int msg = msgget(KEY, IPC_CREAT | 0600);
	undo_sem = semget(KEY, 1, IPC_CREAT | 0600);
	mqd_t q = mq_open(queue, O_CREAT | O_RDWR, 0600, NULL);
	REQUIRE(shm_outside >= 0 && msg >= 0 && undo_sem >= 0 && q >= 0);
	CHECK_EQ(ns_child(CLONE_NEWIPC, other_objects), 0);
	CHECK_ERRNO(mq_open(inner_queue, O_RDWR), ENOENT);
	CHECK_EQ(abi_child(leave_with_segment), 0);
	struct shmid_ds ds;
	CHECK_EQ(shmctl(shm_outside, IPC_STAT, &ds), 0);
	CHECK_EQ(ds.shm_nattch, 0);
	REQUIRE(ns_steps_open(&steps));
	pid_t pid = fork();
	if (pid == 0) {
		abi_failures = 0;
		leave_with_undo();
		_exit(abi_failures ? 1 : 0);
	}
	CHECK(ns_await(&steps, 0));
	CHECK_EQ(semctl(undo_sem, 0, GETVAL), 0);
	ns_tell(&steps, 0);
	int status = -1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	ns_steps_close(&steps);
	CHECK_EQ(shmctl(shm_outside, IPC_RMID, NULL), 0);
	CHECK_EQ(msgctl(msg, IPC_RMID, NULL), 0);
	CHECK_EQ(semctl(undo_sem, 0, IPC_RMID), 0);
	CHECK_EQ(mq_close(q), 0);
	CHECK_EQ(mq_unlink(queue), 0);
}

static int abstract(bool connecting)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1 +
	                (socklen_t)snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "abi-ns-%d", names_of);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if ((connecting ? connect(fd, (void *)&a, len) : bind(fd, (void *)&a, len)) || (!connecting && listen(fd, 1))) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static int loopback(in_port_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY), .sin_port = *port};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (void *)&a, len) || listen(fd, 1)) {
		close(fd);
		return -1;
	}
	getsockname(fd, (void *)&a, &len);
	*port = a.sin_port;
	return fd;
}

static in_port_t taken;

static void other_network(void)
{
	CHECK_ERRNO(abstract(true), ECONNREFUSED);
	int fd = abstract(false); /* the name is free */
	CHECK(fd >= 0);
	close(fd);
	in_port_t same = taken;
	fd = loopback(&same); /* and so is the port */
	CHECK(fd >= 0);
	close(fd);
	/* Nothing but the loopback, and no socket of before. */
	struct ifconf c = {0};
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(ioctl(fd, SIOCGIFCONF, &c), 0);
	CHECK(c.ifc_len <= (int)sizeof(struct ifreq));
	close(fd);
	const char *tcp = ns_read("/proc/self/net/tcp");
	CHECK(strchr(tcp, '\n') && strchr(tcp, '\n')[1] == '\0');
	/* A socket by its path is found from everywhere. */
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(connect(fd, (void *)&a, sizeof(a)), 0);
	close(fd);
}

static void network(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int unix_fd = abstract(false), inet_fd = loopback(&taken), path_fd = socket(AF_UNIX, SOCK_STREAM, 0);

	REQUIRE(unix_fd >= 0 && inet_fd >= 0 && path_fd >= 0);
	CHECK_EQ(bind(path_fd, (void *)&a, sizeof(a)), 0);
	CHECK_EQ(listen(path_fd, 5), 0);
	CHECK_EQ(ns_child(CLONE_NEWNET, other_network), 0);
	/* A socket keeps the namespace in which it was made. */
	pid_t pid = fork();
	if (pid == 0) {
		int ok = unshare(CLONE_NEWNET) == 0 && listen(unix_fd, 1) == 0;
		int fd = abstract(true);
		_exit(ok && fd == -1 && errno == ECONNREFUSED ? 0 : 1);
	}
	int status = -1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(unix_fd);
	close(inet_fd);
	close(path_fd);
}

static const struct {
	const char *name;
	int flag;
} kinds[] = {{"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC}, {"mnt", CLONE_NEWNS}, {"net", CLONE_NEWNET},
             {"pid", CLONE_NEWPID}, {"user", CLONE_NEWUSER}, {"uts", CLONE_NEWUTS}};

#define ALL_BUT_USER (CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWUTS)

static pid_t target;

static bool same(const char *name)
{
	char pid[16];
	snprintf(pid, sizeof(pid), "%d", target);
	return ns_number("self", name) && ns_number("self", name) == ns_number(pid, name);
}

static void join_one_by_one(void)
{
	char path[64], text[64], want[64];

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].flag == CLONE_NEWUSER || kinds[i].flag == CLONE_NEWNS) /* /proc stays where it is */
			continue;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", target, kinds[i].name);
		int fd = open(path, O_RDONLY);
		ssize_t n = readlink(path, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		struct stat st;
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_mode, S_IFREG | 0444);
		snprintf(want, sizeof(want), "%s:[%lu]", kinds[i].name, (unsigned long)st.st_ino);
		CHECK(strcmp(text, want) == 0);
		CHECK(!same(kinds[i].name));
		CHECK_ERRNO(setns(fd, CLONE_NEWUSER), EINVAL);
		CHECK_EQ(setns(fd, 0), 0);
		CHECK_EQ(setns(fd, kinds[i].flag), 0); /* once more is no error */
		CHECK(kinds[i].flag == CLONE_NEWPID || same(kinds[i].name));
		CHECK_ERRNO(write(fd, "x", 1), EBADF);
		char c;
		CHECK_ERRNO(read(fd, &c, 1), EINVAL);
		close(fd);
	}
	CHECK(strcmp(host_name(), "target") == 0);
}

static void join_at_once(void)
{
	int fd = (int)syscall(SYS_pidfd_open, target, 0);

	CHECK_EQ(setns(fd, ALL_BUT_USER & ~CLONE_NEWNS), 0);
	CHECK(same("uts") && same("net") && same("ipc") && same("cgroup"));
	CHECK(strcmp(host_name(), "target") == 0);
	close(fd);
}

static void shared_fs(void)
{
	/* Who shares root and working directory cannot enter other mounts. */
	int fd = open("/proc/self/ns/mnt", O_RDONLY);
	static char stack[16384] __attribute__((aligned(16)));
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, NULL, NULL, 0);

	(void)stack;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK_ERRNO(setns(fd, CLONE_NEWNS), EINVAL);
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_EQ(setns(fd, CLONE_NEWNS), 0);
	close(fd);
}

static void joining(void)
{
	REQUIRE(ns_steps_open(&steps));
	target = ns_clone(ALL_BUT_USER);
	if (target == 0) {
		int fail = sethostname("target", 6) != 0;
		ns_tell(&steps, 1);
		ns_await(&steps, 1);
		_exit(fail);
	}
	CHECK(ns_await(&steps, 0));
	CHECK_EQ(abi_child(join_one_by_one), 0);
	CHECK_EQ(abi_child(join_at_once), 0);
	CHECK_EQ(abi_child(shared_fs), 0);
	int fd = open("socket", O_RDONLY | O_CREAT, 0600), null = open("/dev/null", O_RDONLY);
	CHECK_ERRNO(setns(null, 0), EINVAL);
	close(null);
	if (fd >= 0)
		close(fd);
	/* After its end there is nothing to enter, but what is open stays. */
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", target);
	int open_uts = open(path, O_RDONLY), pidfd = (int)syscall(SYS_pidfd_open, target, 0);
	ns_tell(&steps, 0);
	siginfo_t si;
	CHECK_EQ(waitid(P_PID, (id_t)target, &si, WEXITED | WNOWAIT), 0);
	CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
	CHECK_ERRNO(setns(pidfd, CLONE_NEWUTS), ESRCH);
	int status = -1;
	CHECK_EQ(waitpid(target, &status, 0), target);
	CHECK_EQ(status, 0);
	CHECK_ERRNO(setns(pidfd, CLONE_NEWUTS), ESRCH);
	close(pidfd);
	pid_t pid = fork();
	if (pid == 0)
		_exit(setns(open_uts, 0) == 0 && strcmp(host_name(), "target") == 0 ? 0 : 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(open_uts);
	ns_steps_close(&steps);
}

static void do_refusals(void)
{
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].flag == CLONE_NEWUSER)
			continue;
		CHECK_ERRNO(unshare(kinds[i].flag), EPERM);
		CHECK_ERRNO(ns_clone((unsigned long)kinds[i].flag), EPERM);
	}
	CHECK_ERRNO(sethostname("x", 1), EPERM);
}

static void refusals(void)
{
	CHECK_EQ(abi_child(do_refusals), 0);
}

static void begin(void)
{
	abi_scratch();
	names_of = getpid();
	snprintf(queue, sizeof(queue), "/abi-ns-%d", names_of);
	snprintf(inner_queue, sizeof(inner_queue), "/abi-ns-%d-inner", names_of);
}

ABI_MAIN(ABI_TEST(begin), ABI_TEST(uts), ABI_TEST(ipc), ABI_TEST(network), ABI_TEST(joining), ABI_TEST(refusals))
