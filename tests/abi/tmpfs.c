/* SPDX-License-Identifier: Apache-2.0 */
/* tmpfs and memfd: seals against mappings in the making, what a failed fallocate leaves, the space of attributes and of an
 * overlay's upper layer. */
#include "ns.h"

#include <linux/falloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#define ROUNDS 200
#define PAGE   4096

/* ---- a mapping and a seal at the same moment: one of them is refused ---- */
static struct {
	int fd;
	char *map;
	pthread_barrier_t barrier;
	volatile bool over;
} race;

/* Keeps the address space busy, so that mmap waits between its looks at the file and at the addresses. */
static void *busy_thread(void *arg)
{
	while (!race.over) {
		char *m = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (m != MAP_FAILED)
			munmap(m, 64 * PAGE);
	}
	return arg;
}

static void *map_thread(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&race.barrier);
		race.map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, race.fd, 0);
		pthread_barrier_wait(&race.barrier);
	}
	return arg;
}

static void seals_race(void)
{
	pthread_t t, busy;
	int both = 0;

	REQUIRE(pthread_barrier_init(&race.barrier, NULL, 2) == 0 && pthread_create(&t, NULL, map_thread, NULL) == 0);
	REQUIRE(pthread_create(&busy, NULL, busy_thread, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		race.fd = memfd_create("race", MFD_ALLOW_SEALING | MFD_CLOEXEC);
		CHECK(race.fd >= 0 && ftruncate(race.fd, PAGE) == 0);
		pthread_barrier_wait(&race.barrier);
		/* the two meet at another place each time */
		for (volatile int spin = 0; spin < i % 64 * 16; spin++)
			;
		int r = fcntl(race.fd, F_ADD_SEALS, F_SEAL_WRITE);
		pthread_barrier_wait(&race.barrier);
		both += race.map != MAP_FAILED && r == 0;
		if (race.map != MAP_FAILED)
			munmap(race.map, PAGE);
		close(race.fd);
	}
	race.over = true;
	pthread_join(t, NULL);
	pthread_join(busy, NULL);
	pthread_barrier_destroy(&race.barrier);
	CHECK_EQ(both, 0);
}

/* What counts against a seal goes with the mapping, however it went. */
static void seals_count(void)
{
	int fd = memfd_create("count", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	REQUIRE(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0);
	char *m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(m != MAP_FAILED);
	/* refused after the object was asked */
	CHECK(mmap(m, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) == MAP_FAILED);
	CHECK_EQ(munmap(m + PAGE, PAGE), 0);                     /* two parts */
	CHECK_EQ(mprotect(m, PAGE, PROT_READ), 0);               /* may write again */
	CHECK(mremap(m + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	REQUIRE(child > 0);
	close(fd);
	fd = memfd_create("count", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	REQUIRE(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(m != MAP_FAILED);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	REQUIRE(child > 0);
	CHECK_EQ(munmap(m, 4 * PAGE), 0);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY); /* the child's */
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	REQUIRE(m != MAP_FAILED);
	CHECK_ERRNO(mprotect(m, PAGE, PROT_READ | PROT_WRITE), EACCES);
	munmap(m, PAGE);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	close(fd);
}

/* ---- fallocate: all or nothing ---- */
static long blocks(int fd)
{
	struct stat st;
	return fstat(fd, &st) ? -1 : (long)st.st_blocks / (PAGE / 512);
}

static long free_blocks(const char *dir)
{
	struct statfs st;
	return statfs(dir, &st) ? -1 : (long)st.f_bfree;
}

static void failed_fallocate(void)
{
	char page[PAGE], zero[PAGE] = "";

	REQUIRE(mkdir("small", 0755) == 0 && mount("none", "small", "tmpfs", 0, "size=64k") == 0);
	int other = open("small/other", O_RDWR | O_CREAT, 0600), fd = open("small/file", O_RDWR | O_CREAT, 0600);
	REQUIRE(other >= 0 && fd >= 0);
	CHECK_EQ(fallocate(other, 0, 0, 6 * PAGE), 0);
	CHECK_EQ(free_blocks("small"), 10);
	/* more than there is at all, and more than there is left */
	CHECK_ERRNO(fallocate(fd, 0, 0, 17 * PAGE), ENOSPC);
	CHECK_EQ(blocks(fd), 0);
	CHECK_ERRNO(fallocate(fd, 0, 0, 12 * PAGE), ENOSPC);
	CHECK_EQ(blocks(fd), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	CHECK_EQ(free_blocks("small"), 10);
	/* what was there stays: written, and allocated earlier */
	memset(page, 'x', sizeof(page));
	CHECK_EQ(pwrite(fd, page, PAGE, 2 * PAGE), PAGE);
	CHECK_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 4 * PAGE, 2 * PAGE), 0);
	CHECK_EQ(blocks(fd), 3);
	CHECK_ERRNO(fallocate(fd, 0, 0, 12 * PAGE), ENOSPC);
	CHECK_EQ(blocks(fd), 3);
	CHECK_EQ(free_blocks("small"), 7);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 3 * PAGE);
	CHECK_EQ(pread(fd, page, PAGE, 2 * PAGE), PAGE);
	CHECK_EQ(page[7], 'x');
	CHECK_EQ(pread(fd, page, PAGE, 0), PAGE);
	CHECK(!memcmp(page, zero, PAGE));
	/* and it goes where there is room */
	CHECK_EQ(ftruncate(other, 0), 0);
	CHECK_EQ(fallocate(fd, 0, 0, 12 * PAGE), 0);
	CHECK_EQ(blocks(fd), 12);
	CHECK_EQ(free_blocks("small"), 4);
	close(fd);
	close(other);
	CHECK_EQ(umount("small"), 0);
}

/* The contents change: bits that give another identity go, as with write(2). */
static void fallocate_drops_ids(void)
{
	static const uint32_t caps[5] = {0x02000000, 1, 0, 0, 0};
	char buf[64];
	struct stat st;

	REQUIRE(mkdir("ids", 0755) == 0 && mount("none", "ids", "tmpfs", 0, "mode=0777") == 0);
	int fd = open("ids/file", O_RDWR | O_CREAT, 0755);
	REQUIRE(fd >= 0);
	CHECK_EQ(fchmod(fd, 0666), 0);
	if (fsetxattr(fd, "security.capability", caps, sizeof(caps), 0) == 0) {
		CHECK_EQ(fallocate(fd, 0, 0, 10), 0);
		CHECK_ERRNO(fgetxattr(fd, "security.capability", buf, sizeof(buf)), ENODATA);
	}
	CHECK_EQ(fchmod(fd, 06777), 0);
	CHECK_EQ(fallocate(fd, 0, 0, 20), 0);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 06777); /* CAP_FSETID */
	pid_t child = fork();
	if (child == 0)
		_exit(setgid(1234) || setuid(1234) || fallocate(fd, 0, 0, 30) ? 1 : 0);
	close(fd);
	int status = -1;
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	CHECK(stat("ids/file", &st) == 0 && (st.st_mode & 07777) == 0777);
	CHECK_EQ(umount("ids"), 0);
}

/* ---- extended attributes take of the inodes' space ---- */
static long free_inodes(const char *dir)
{
	struct statfs st;
	return statfs(dir, &st) ? -1 : (long)st.f_ffree;
}

static void xattr_space(void)
{
	static char value[4096];
	char name[64], path[64];
	int set = 0, err = 0;

	REQUIRE(mkdir("inodes", 0755) == 0 && mount("none", "inodes", "tmpfs", 0, "nr_inodes=64") == 0);
	long before = free_inodes("inodes");
	CHECK_EQ(before, 63);
	REQUIRE(ns_touch("inodes/0") == 0);
	if (setxattr("inodes/0", "user.x", value, 2000, 0)) {
		CHECK_EQ(errno, EOPNOTSUPP); /* Linux before 6.6 */
		goto out;
	}
	CHECK_EQ(free_inodes("inodes"), 60);
	CHECK_EQ(setxattr("inodes/0", "user.x", value, 10, XATTR_REPLACE), 0);
	CHECK_EQ(free_inodes("inodes"), 61);
	CHECK_EQ(removexattr("inodes/0", "user.x"), 0);
	CHECK_EQ(free_inodes("inodes"), 62);
	/* many, on several files, so that no limit of one file is met */
	for (int f = 0; f < 4 && !err; f++) {
		snprintf(path, sizeof(path), "inodes/%d", f);
		CHECK_EQ(ns_touch(path), 0);
		for (int i = 0; i < 8 && !err; i++) {
			snprintf(name, sizeof(name), "user.%d", i);
			if (setxattr(path, name, value, sizeof(value), 0) == 0)
				set++;
			else
				err = errno;
		}
	}
	CHECK_EQ(err, ENOSPC);
	CHECK(set >= 13 && set <= 15);
	/* inodes want of it too, and with the files it comes back */
	CHECK(free_inodes("inodes") < 5);
	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "inodes/more%d", i);
		err = ns_touch(path) ? errno : 0;
	}
	CHECK_EQ(err, ENOSPC);
	CHECK_EQ(mount(NULL, "inodes", NULL, MS_REMOUNT, "nr_inodes=60"), -1);
	CHECK_EQ(mount(NULL, "inodes", NULL, MS_REMOUNT, "nr_inodes=80"), 0);
	CHECK_EQ(ns_touch("inodes/more7"), 0);
	CHECK_EQ(mount(NULL, "inodes", NULL, MS_REMOUNT, "nr_inodes=65"), 0);
	for (int f = 0; f < 4; f++) {
		snprintf(path, sizeof(path), "inodes/%d", f);
		unlink(path);
	}
	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "inodes/more%d", i);
		unlink(path);
	}
	CHECK_EQ(free_inodes("inodes"), 64);
	CHECK_EQ(umount("inodes"), 0);
	CHECK_ERRNO(mount("none", "inodes", "tmpfs", 0, "nr_inodes=18446744073709551615"), EINVAL);
	return;
out:
	CHECK_EQ(umount("inodes"), 0);
}

/* ---- hard links of an overlay: what was copied up goes with the last name, or with the file system ---- */
static int grow(const char *path)
{
	static char block[64 * PAGE];
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return -1;
	memset(block, 'x', sizeof(block));
	ssize_t n = write(fd, block, sizeof(block));
	close(fd);
	return n == sizeof(block) ? 0 : -1;
}

static int overlay_up(void)
{
	return mount("none", "ovl/merged", "overlay", 0, "lowerdir=ovl/lower,upperdir=ovl/upper,workdir=ovl/work");
}

static void overlay_links(void)
{
	struct stat st;

	REQUIRE(mkdir("ovl", 0755) == 0 && mount("none", "ovl", "tmpfs", 0, NULL) == 0);
	REQUIRE(mkdir("ovl/lower", 0755) == 0 && mkdir("ovl/upper", 0755) == 0 && mkdir("ovl/work", 0755) == 0 && mkdir("ovl/merged", 0755) == 0);
	REQUIRE(ns_touch("ovl/lower/a") == 0 && link("ovl/lower/a", "ovl/lower/b") == 0);
	REQUIRE(ns_touch("ovl/lower/c") == 0 && link("ovl/lower/c", "ovl/lower/d") == 0);
	if (overlay_up()) {
		CHECK_EQ(errno, ENODEV); /* a Linux without overlayfs */
		umount("ovl");
		return;
	}
	long before = free_blocks("ovl");
	CHECK_EQ(grow("ovl/merged/a"), 0);
	CHECK(before - free_blocks("ovl") >= 64);
	CHECK_EQ(unlink("ovl/merged/a"), 0);
	CHECK(stat("ovl/merged/b", &st) == 0);
	CHECK_EQ(unlink("ovl/merged/b"), 0);
	CHECK_EQ(free_blocks("ovl"), before);
	/* an open file keeps it, as ever */
	CHECK_EQ(grow("ovl/merged/c"), 0);
	int fd = open("ovl/merged/c", O_RDONLY);
	CHECK_EQ(rename("ovl/merged/d", "ovl/merged/c"), 0);
	CHECK_EQ(unlink("ovl/merged/c") == 0 ? access("ovl/merged/d", F_OK) == 0 ? unlink("ovl/merged/d") : 0 : -1, 0);
	CHECK(before - free_blocks("ovl") >= 64);
	close(fd);
	CHECK_EQ(free_blocks("ovl"), before);
	CHECK_EQ(umount("ovl/merged"), 0);

	REQUIRE(ns_touch("ovl/lower/e") == 0 && link("ovl/lower/e", "ovl/lower/f") == 0);
	REQUIRE(overlay_up() == 0);
	CHECK_EQ(grow("ovl/merged/e"), 0);
	CHECK_EQ(umount("ovl/merged"), 0);
	CHECK_EQ(unlink("ovl/upper/e"), 0);
	CHECK_EQ(free_blocks("ovl"), before);
	CHECK_EQ(umount("ovl"), 0);
}

static const struct abi_test tests[] = {
	ABI_TEST(seals_race), ABI_TEST(seals_count), ABI_TEST(failed_fallocate), ABI_TEST(fallocate_drops_ids), ABI_TEST(xattr_space),
	ABI_TEST(overlay_links),
};

static int argc_;
static char **argv_;

static void all(void)
{
	(void)!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	exit(abi_main(argc_, argv_, tests, sizeof(tests) / sizeof(tests[0])));
}

int main(int argc, char **argv)
{
	abi_scratch();
	argc_ = argc;
	argv_ = argv;
	int status = ns_child(CLONE_NEWNS, all);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
