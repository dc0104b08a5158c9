/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads at the same names, descriptors and pipes: nothing may break, and what must add up adds up. */
#include "abi.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/mount.h>

#define THREADS 4
#define ROUNDS 1500

static unsigned rnd(unsigned *seed, unsigned n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % n;
}

static const char *name(unsigned *seed, char *buf)
{
	static const char *const dirs[] = {"", "x/", "y/", "x/z/", "y/l/"};
	sprintf(buf, "%sn%u", dirs[rnd(seed, 5)], rnd(seed, 6));
	return buf;
}

static void *names_thread(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	char a[32], b[32];
	struct stat st;
	for (int i = 0; i < ROUNDS; i++) {
		int fd;
		switch (rnd(&seed, 10)) {
		case 0: case 1:
			fd = open(name(&seed, a), O_CREAT | O_RDWR, 0600);
			if (fd >= 0) {
				if (write(fd, "x", 1) != 1 && errno != EISDIR)
					abi_fail(__FILE__, __LINE__, "write");
				close(fd);
			}
			break;
		case 2:
			(void)!rename(name(&seed, a), name(&seed, b));
			break;
		case 3:
			(void)!syscall(SYS_renameat2, AT_FDCWD, name(&seed, a), AT_FDCWD, name(&seed, b), 2);
			break;
		case 4:
			unlink(name(&seed, a));
			break;
		case 5:
			(void)!link(name(&seed, a), name(&seed, b));
			break;
		case 6:
			mkdir(name(&seed, a), 0700);
			break;
		case 7:
			rmdir(name(&seed, a));
			break;
		default:
			stat(name(&seed, a), &st);
			break;
		}
	}
	return NULL;
}

/* Every listed name exists, and the link counts of files equal the number of their names. */
static unsigned count_links(const char *path, ino_t ino, unsigned depth)
{
	unsigned n = 0;
	char child[512];
	DIR *d = opendir(path);
	struct dirent *e;
	while (d && (e = readdir(d))) {
		struct stat st;
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
		if (!CHECK_EQ(lstat(child, &st), 0))
			continue;
		n += st.st_ino == ino && S_ISREG(st.st_mode);
		if (S_ISDIR(st.st_mode) && depth < 8)
			n += count_links(child, ino, depth + 1);
		else if (S_ISREG(st.st_mode) && !ino)
			CHECK_EQ(count_links(".", st.st_ino, 0), st.st_nlink);
	}
	if (d)
		closedir(d);
	return n;
}

static void run_threads(void *(*fn)(void *))
{
	pthread_t t[THREADS];
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_OK(pthread_create(&t[i], NULL, fn, (void *)(i + 1)));
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static void names(void)
{
	mkdir("x", 0700);
	mkdir("y", 0700);
	mkdir("x/z", 0700);
	CHECK_EQ(symlink("../x", "y/l"), 0);
	run_threads(names_thread);
	count_links(".", 0, 0);
}

static void *fds_thread(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	char buf[64];
	for (int i = 0; i < ROUNDS; i++) {
		int fd = 100 + rnd(&seed, 8);
		switch (rnd(&seed, 5)) {
		case 0:
			dup2(0, fd);
			break;
		case 1:
			close(fd);
			break;
		case 2:
			fcntl(fd, F_GETFL);
			break;
		case 3:
			(void)!read(fd, buf, 0);
			break;
		case 4: {
			int n = open("shared", O_RDWR | O_CREAT, 0600);
			CHECK(n >= 0);
			dup2(n, fd);
			close(n);
			break;
		}
		}
	}
	return NULL;
}

static void descriptors(void)
{
	run_threads(fds_thread);
	for (int fd = 100; fd < 108; fd++)
		close(fd);
}

static int append_fd, pipe_fd[2];

static void *append_thread(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		CHECK_EQ(write(append_fd, "0123456789", 10), 10);
	return NULL;
}

static void appends(void)
{
	static char buf[THREADS * ROUNDS * 10];
	append_fd = open("log", O_CREAT | O_RDWR | O_APPEND, 0600);
	REQUIRE(append_fd >= 0);
	run_threads(append_thread);
	CHECK_EQ(pread(append_fd, buf, sizeof(buf), 0), (long)sizeof(buf));
	for (size_t i = 0; i < sizeof(buf); i += 10)
		if (memcmp(buf + i, "0123456789", 10)) {
			abi_fail(__FILE__, __LINE__, "torn at %zu", i);
			break;
		}
	close(append_fd);
}

static void *writer_thread(void *arg)
{
	char rec[512];
	memset(rec, 'a' + (int)(uintptr_t)arg, sizeof(rec));
	for (int i = 0; i < ROUNDS; i++)
		CHECK_EQ(write(pipe_fd[1], rec, sizeof(rec)), (long)sizeof(rec));
	return NULL;
}

static void *reader_thread(void *arg)
{
	long *total = arg;
	char rec[512];
	/* atomic writes of one size: every full read is one record */
	for (;;) {
		ssize_t n = read(pipe_fd[0], rec, sizeof(rec));
		if (n <= 0)
			break;
		*total += n;
		if (n == sizeof(rec))
			for (int i = 1; i < 512; i++)
				if (rec[i] != rec[0]) {
					abi_fail(__FILE__, __LINE__, "two records in one");
					return NULL;
				}
	}
	return NULL;
}

static void pipes(void)
{
	pthread_t r[2];
	long total[2] = {0, 0};
	REQUIRE(pipe(pipe_fd) == 0);
	for (int i = 0; i < 2; i++)
		CHECK_OK(pthread_create(&r[i], NULL, reader_thread, &total[i]));
	run_threads(writer_thread);
	close(pipe_fd[1]);
	for (int i = 0; i < 2; i++)
		pthread_join(r[i], NULL);
	CHECK_EQ(total[0] + total[1], 512L * THREADS * ROUNDS);
	close(pipe_fd[0]);
}

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {ABI_TEST(names), ABI_TEST(descriptors), ABI_TEST(appends), ABI_TEST(pipes)};
	abi_scratch();
	return abi_main(argc, argv, tests, 4);
}
