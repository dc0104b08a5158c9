/* SPDX-License-Identifier: Apache-2.0 */
/* inotify: events of names, of files, moves with cookies, one-shot watches, removal. */
#include "abi.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

static int in;

/* The next event must be this one; name NULL: none. Returns the cookie. */
static uint32_t expect(int wd, uint32_t mask, const char *name)
{
	static char buf[4096];
	static ssize_t have, at;
	if (at >= have) {
		struct pollfd p = {.fd = in, .events = POLLIN};
		if (!CHECK_EQ(poll(&p, 1, 30000), 1))
			return 0;
		have = read(in, buf, sizeof(buf));
		at = 0;
		if (!CHECK(have > 0))
			return 0;
	}
	struct inotify_event *e = (struct inotify_event *)(buf + at);
	at += sizeof(*e) + e->len;
	CHECK_EQ(e->wd, wd);
	if (e->mask != mask)
		abi_fail(__FILE__, __LINE__, "mask %x, not %x", e->mask, mask);
	CHECK(!strcmp(e->len ? e->name : "", name ? name : ""));
	return e->cookie;
}

static void directory(void)
{
	in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	REQUIRE(in >= 0);
	REQUIRE(mkdir("d", 0755) == 0);
	char c;
	CHECK_ERRNO(read(in, &c, 1), EAGAIN);
	int wd = inotify_add_watch(in, "d", IN_ALL_EVENTS & ~(IN_ACCESS | IN_OPEN | IN_CLOSE));
	CHECK_EQ(wd, 1);
	int fd = open("d/f", O_CREAT | O_RDWR, 0600);
	CHECK_EQ(write(fd, "x", 1), 1);
	close(fd);
	expect(wd, IN_CREATE, "f");
	expect(wd, IN_MODIFY, "f");
	CHECK_EQ(chmod("d/f", 0644), 0);
	expect(wd, IN_ATTRIB, "f");
	CHECK_EQ(mkdir("d/s", 0755), 0);
	expect(wd, IN_CREATE | IN_ISDIR, "s");
	CHECK_EQ(rename("d/f", "d/g"), 0);
	uint32_t a = expect(wd, IN_MOVED_FROM, "f"), b = expect(wd, IN_MOVED_TO, "g");
	CHECK(a && a == b);
	CHECK_EQ(rename("d/g", "out"), 0);
	expect(wd, IN_MOVED_FROM, "g");
	CHECK_EQ(rmdir("d/s"), 0);
	expect(wd, IN_DELETE | IN_ISDIR, "s");
	int n = -1;
	CHECK_EQ(ioctl(in, FIONREAD, &n), 0);
	CHECK_EQ(n, 0);
	CHECK_EQ(rmdir("d"), 0);
	expect(wd, IN_DELETE_SELF, NULL);
	expect(wd, IN_IGNORED, NULL);
	CHECK_ERRNO(inotify_rm_watch(in, wd), EINVAL);
	close(in);
}

static void file(void)
{
	in = inotify_init();
	REQUIRE(in >= 0);
	int fd = open("w", O_CREAT | O_RDWR, 0600);
	int wd = inotify_add_watch(in, "w", IN_OPEN | IN_CLOSE | IN_MODIFY | IN_ACCESS | IN_DELETE_SELF | IN_ATTRIB);
	CHECK(wd > 0);
	CHECK_EQ(inotify_add_watch(in, "w", IN_ALL_EVENTS), wd);
	CHECK_ERRNO(inotify_add_watch(in, "w", IN_OPEN | IN_MASK_CREATE), EEXIST);
	CHECK_ERRNO(inotify_add_watch(in, "w", IN_OPEN | IN_ONLYDIR), ENOTDIR);
	CHECK_ERRNO(inotify_add_watch(in, "w", 0), EINVAL);
	CHECK_ERRNO(inotify_add_watch(fd, "w", IN_OPEN), EINVAL);
	char c;
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	expect(wd, IN_MODIFY, NULL);
	expect(wd, IN_ACCESS, NULL);
	close(open("w", O_RDONLY));
	expect(wd, IN_OPEN, NULL);
	expect(wd, IN_CLOSE_NOWRITE, NULL);
	CHECK_EQ(unlink("w"), 0);
	expect(wd, IN_ATTRIB, NULL);
	close(fd); /* the last user */
	expect(wd, IN_CLOSE_WRITE, NULL);
	expect(wd, IN_DELETE_SELF, NULL);
	expect(wd, IN_IGNORED, NULL);
	close(in);
}

static void oneshot_and_remove(void)
{
	in = inotify_init1(0);
	REQUIRE(in >= 0);
	int fd = open("o", O_CREAT | O_RDWR, 0600);
	int wd = inotify_add_watch(in, "o", IN_MODIFY | IN_ONESHOT);
	CHECK_EQ(write(fd, "a", 1), 1);
	expect(wd, IN_MODIFY, NULL);
	expect(wd, IN_IGNORED, NULL);
	CHECK_EQ(write(fd, "a", 1), 1);
	int again = inotify_add_watch(in, "o", IN_MODIFY);
	CHECK(again > wd);
	/* equal events in a row are one */
	CHECK_EQ(write(fd, "a", 1), 1);
	CHECK_EQ(write(fd, "a", 1), 1);
	CHECK_EQ(inotify_rm_watch(in, again), 0);
	expect(again, IN_MODIFY, NULL);
	expect(again, IN_IGNORED, NULL);
	close(fd);
	close(in);
}

static volatile int hits, hit_code, hit_fd;

static void on_notify(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	hits++;
	hit_code = si->si_code;
	hit_fd = si->si_fd;
}

/* F_NOTIFY: a signal per event; once, unless DN_MULTISHOT. */
static void dnotify(void)
{
	struct sigaction sa = {.sa_sigaction = on_notify, .sa_flags = SA_SIGINFO};
	sigaction(SIGRTMIN + 1, &sa, NULL);
	CHECK_EQ(mkdir("dn", 0700), 0);
	int dir = open("dn", O_RDONLY), file = open("plain", O_CREAT | O_RDWR, 0600);
	CHECK_ERRNO(fcntl(file, F_NOTIFY, DN_MODIFY), ENOTDIR);
	CHECK_EQ(fcntl(dir, F_SETSIG, SIGRTMIN + 1), 0);
	CHECK_EQ(fcntl(dir, F_NOTIFY, DN_CREATE), 0);
	CHECK_EQ(fcntl(dir, F_GETOWN), getpid());
	close(open("dn/a", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(hits, 1);
	CHECK_EQ(hit_code, POLL_MSG);
	CHECK_EQ(hit_fd, dir);
	close(open("dn/b", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(hits, 1);
	CHECK_EQ(fcntl(dir, F_NOTIFY, DN_MODIFY | DN_DELETE | DN_MULTISHOT), 0);
	int fd = open("dn/a", O_RDWR);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(hits, 3);
	close(fd);
	CHECK_EQ(unlink("dn/b"), 0);
	CHECK_EQ(hits, 4);
	CHECK_EQ(fcntl(dir, F_NOTIFY, DN_RENAME | DN_MULTISHOT), 0);
	CHECK_EQ(rename("dn/a", "dn/c"), 0); /* gone and renamed: bits add up */
	CHECK_EQ(hits, 6);
	CHECK_EQ(fcntl(dir, F_NOTIFY, 0), 0);
	CHECK_EQ(unlink("dn/c"), 0);
	CHECK_EQ(hits, 6);
	CHECK_EQ(fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT), 0);
	close(dir);
	close(open("dn/d", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(hits, 6);
	close(file);
}

/* Instances are counted by user; the last close of one gives it back. */
static void many_instances(void)
{
	static int fd[4096];
	int n = 0, limit = 0, more;
	FILE *f = fopen("/proc/sys/fs/inotify/max_user_instances", "r");
	REQUIRE(f && fscanf(f, "%d", &limit) == 1);
	fclose(f);
	if (limit > 900)
		return; /* more than we may have open */
	CHECK_EQ(setresuid(54321, 54321, 54321), 0);
	while (n < limit + 1 && (fd[n] = inotify_init1(IN_CLOEXEC)) >= 0)
		n++;
	CHECK_EQ(n, limit);
	CHECK_ERRNO(inotify_init1(IN_CLOEXEC), EMFILE);
	close(fd[--n]);
	more = inotify_init1(IN_CLOEXEC);
	CHECK(more >= 0);
	close(more);
	while (n)
		close(fd[--n]);
}

static void instances(void) { CHECK_EQ(abi_child(many_instances), 0); }

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {ABI_TEST(directory), ABI_TEST(file), ABI_TEST(oneshot_and_remove), ABI_TEST(dnotify),
	                                        ABI_TEST(instances)};
	abi_scratch();
	return abi_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
