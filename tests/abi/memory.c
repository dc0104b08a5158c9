/* SPDX-License-Identifier: Apache-2.0 */
/* mmap, munmap, mprotect, mremap, madvise, brk; faults and what they say. */
#include "abi.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define PAGE 4096UL

static sigjmp_buf fault_jump;
static volatile int fault_signal, fault_code;
static void *volatile fault_addr;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	fault_signal = sig;
	fault_code = si->si_code;
	fault_addr = si->si_addr;
	siglongjmp(fault_jump, 1);
}

/* Touches addr: 0, or the signal that it raised. */
static int touch(volatile char *addr, bool write)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, old_segv, old_bus;

	sigaction(SIGSEGV, &sa, &old_segv);
	sigaction(SIGBUS, &sa, &old_bus);
	fault_signal = 0;
	if (!sigsetjmp(fault_jump, 1)) {
		if (write)
			*addr = 1;
		else
			(void)*addr;
	}
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return fault_signal;
}

static char *map(size_t len, int prot, int flags) { return mmap(NULL, len, prot, flags, -1, 0); }

static void anonymous(void)
{
	char *p = map(64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);

	REQUIRE(p != MAP_FAILED);
	for (unsigned i = 0; i < 64; i++) {
		CHECK_EQ(p[i * PAGE], 0);
		p[i * PAGE] = (char)i;
	}
	for (unsigned i = 0; i < 64; i++)
		CHECK_EQ(p[i * PAGE], (char)i);
	CHECK_EQ(munmap(p + 8 * PAGE, PAGE), 0);
	CHECK_EQ(touch(p + 8 * PAGE, false), SIGSEGV);
	CHECK_EQ(fault_code, SEGV_MAPERR);
	CHECK(fault_addr == p + 8 * PAGE);
	CHECK_EQ(touch(p + 7 * PAGE, true), 0);
	CHECK_EQ(munmap(p, 64 * PAGE), 0);
	CHECK_EQ(munmap(p, 64 * PAGE), 0);
	CHECK_ERRNO(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 250, 0), EBADF);
}

static void protection(void)
{
	char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);

	REQUIRE(p != MAP_FAILED);
	memset(p, 7, 4 * PAGE);
	CHECK_EQ(mprotect(p + PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(touch(p + PAGE, false), 0);
	CHECK_EQ(touch(p + PAGE + 5, true), SIGSEGV);
	CHECK_EQ(fault_code, SEGV_ACCERR);
	CHECK(fault_addr == p + PAGE + 5);
	CHECK_EQ(mprotect(p + PAGE, PAGE, PROT_NONE), 0);
	CHECK_EQ(touch(p + PAGE, false), SIGSEGV);
	CHECK_EQ(fault_code, SEGV_ACCERR);
	CHECK_EQ(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE), 0);
	CHECK_EQ(p[PAGE], 7);
	CHECK_EQ(touch(p + PAGE, true), 0);
	munmap(p + 2 * PAGE, PAGE);
	CHECK_ERRNO(mprotect(p, 4 * PAGE, PROT_READ), ENOMEM);
	munmap(p, 4 * PAGE);
}

static void execute(void)
{
	static const uint8_t ret42[] = {0xb8, 42, 0, 0, 0, 0xc3};
	char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	REQUIRE(p != MAP_FAILED);
	memcpy(p, ret42, sizeof(ret42));
	sigaction(SIGSEGV, &sa, NULL);
	fault_signal = 0;
	if (!sigsetjmp(fault_jump, 1))
		((int (*)(void))p)();
	CHECK_EQ(fault_signal, SIGSEGV);
	CHECK_EQ(fault_code, SEGV_ACCERR);
	CHECK(fault_addr == p);
	signal(SIGSEGV, SIG_DFL);
	CHECK_EQ(mprotect(p, PAGE, PROT_READ | PROT_EXEC), 0);
	CHECK_EQ(((int (*)(void))p)(), 42);
	/* New code at the same place is seen at once. */
	CHECK_EQ(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	p[1] = 43;
	CHECK_EQ(((int (*)(void))p)(), 43);
	munmap(p, PAGE);
}

static void fixed(void)
{
	char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;

	p[PAGE] = 9;
	CHECK(mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0) == p + PAGE);
	CHECK_EQ(p[PAGE], 0);
	CHECK_ERRNO((long)mmap(p, PAGE, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK_ERRNO((long)mmap(p + 1, PAGE, PROT_READ, flags | MAP_FIXED, -1, 0), EINVAL);
	munmap(p, 4 * PAGE);
	CHECK(mmap(p, PAGE, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1, 0) == p);
	munmap(p, PAGE);
}

static void remap(void)
{
	char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS), *q;

	p[0] = 1;
	p[PAGE] = 2;
	q = mremap(p, 2 * PAGE, 32 * PAGE, MREMAP_MAYMOVE);
	REQUIRE(q != MAP_FAILED);
	CHECK(q[0] == 1 && q[PAGE] == 2 && q[31 * PAGE] == 0);
	q[31 * PAGE] = 3;
	CHECK(mremap(q, 32 * PAGE, PAGE, 0) == q);
	CHECK_EQ(touch(q + PAGE, false), SIGSEGV);
	p = map(PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	CHECK(mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
	CHECK_EQ(p[0], 1);
	CHECK_EQ(touch(q, false), SIGSEGV);
	CHECK_ERRNO((long)mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	munmap(p, PAGE);
}

static void files(void)
{
	int fd;
	char *a, *b, c;

	abi_scratch();
	fd = open("m", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(write(fd, "hello", 5), 5);
	a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	REQUIRE(a != MAP_FAILED && b != MAP_FAILED);
	CHECK(!memcmp(a, "hello", 5) && a[5] == 0);
	a[0] = 'J';
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'J');
	CHECK_EQ(pwrite(fd, "y", 1, 1), 1);
	CHECK_EQ(a[1], 'y');
	b[2] = 'P';
	CHECK_EQ(a[2], 'l');
	CHECK_EQ(pread(fd, &c, 1, 2), 1);
	CHECK_EQ(c, 'l');
	CHECK_EQ(msync(a, PAGE, MS_SYNC), 0);
	munmap(a, PAGE);
	munmap(b, PAGE);
	a = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK_EQ(touch(a, false), 0);
	CHECK_EQ(touch(a + PAGE, false), SIGBUS);
	CHECK_EQ(fault_code, BUS_ADRERR);
	CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
	CHECK_EQ(touch(a + PAGE, false), 0);
	CHECK_EQ(ftruncate(fd, 10), 0);
	CHECK_EQ(touch(a + PAGE, false), SIGBUS);
	munmap(a, 2 * PAGE);
	close(fd);
	fd = open("m", O_RDONLY);
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 1), EINVAL);
	close(fd);
	unlink("m");
}

static void advice(void)
{
	char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	unsigned char in[4];

	memset(p, 1, 4 * PAGE);
	CHECK_EQ(mincore(p, 4 * PAGE, in), 0);
	CHECK_EQ(in[0] & 1, 1);
	CHECK_EQ(madvise(p + PAGE, PAGE, MADV_DONTNEED), 0);
	CHECK(p[0] == 1 && p[PAGE] == 0 && p[2 * PAGE] == 1);
	CHECK_EQ(madvise(p, 4 * PAGE, MADV_WILLNEED), 0);
	CHECK_ERRNO(madvise(p, PAGE, 12345), EINVAL);
	CHECK_EQ(madvise(p + 3 * PAGE, PAGE, MADV_DONTFORK), 0);
	munmap(p, 4 * PAGE);
	CHECK_ERRNO(madvise(p, PAGE, MADV_DONTNEED), ENOMEM);
}

static void program_break(void)
{
	char *old = sbrk(0), *p = sbrk(8 * PAGE);

	REQUIRE(p == old);
	memset(p, 3, 8 * PAGE);
	CHECK(sbrk(0) == old + 8 * PAGE);
	CHECK(sbrk(-8 * (long)PAGE) == old + 8 * PAGE);
	CHECK(sbrk(8 * PAGE) == old);
	CHECK_EQ(p[PAGE * 4], 0);
	sbrk(-8 * (long)PAGE);
}

static void copy_on_write(void)
{
	enum { N = 200 };
	char *p = map(N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	int status;
	pid_t pid;

	for (unsigned i = 0; i < N; i++)
		p[i * PAGE] = (char)i;
	pid = fork();
	if (!pid) {
		for (unsigned i = 0; i < N; i++) {
			if (p[i * PAGE] != (char)i)
				_exit(1);
			p[i * PAGE] = (char)(i + 1);
		}
		for (unsigned i = 0; i < N; i++)
			if (p[i * PAGE] != (char)(i + 1))
				_exit(2);
		_exit(0);
	}
	for (unsigned i = 0; i < N; i += 2)
		p[i * PAGE] = 99;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	for (unsigned i = 0; i < N; i++)
		CHECK_EQ(p[i * PAGE], i % 2 ? (char)i : 99);
	munmap(p, N * PAGE);
}

static int depth(int n)
{
	volatile char frame[4000];

	frame[0] = (char)n;
	return n ? depth(n - 1) + (frame[0] == (char)n) : 0;
}

static void stack_grows(void) { CHECK_EQ(depth(500), 500); }

/* PR_SET_VMA_ANON_NAME takes what cannot spoil a line of /proc/PID/maps. */
static void names(void)
{
	static const char *const wrong[] = {"a\nb", "a[b", "a]", "a$", "a\\", "a`", "\x7f", "\xff"};
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), text[81];

	REQUIRE(m != MAP_FAILED);
	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, m, 4096, "a name") == 0) {
		for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
			CHECK_ERRNO(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, m, 4096, wrong[i]), EINVAL);
		memset(text, 'x', 80);
		text[80] = 0;
		CHECK_ERRNO(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, m, 4096, text), EINVAL);
		text[79] = 0;
		CHECK_EQ(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, m, 4096, text), 0);
	} else {
		CHECK_EQ(errno, EINVAL); /* a Linux without CONFIG_ANON_VMA_NAME */
	}
	munmap(m, 4096);
}

ABI_MAIN(ABI_TEST(anonymous), ABI_TEST(protection), ABI_TEST(execute), ABI_TEST(fixed), ABI_TEST(remap), ABI_TEST(files),
    ABI_TEST(advice), ABI_TEST(program_break), ABI_TEST(copy_on_write), ABI_TEST(stack_grows), ABI_TEST(names))
