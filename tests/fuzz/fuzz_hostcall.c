/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile Sentry: sequences of hostcalls with any arguments and any bytes in RAM. Each call is a byte for its number,
 * six bytes that say what kind each argument is, and what those kinds take of the input. Between calls the input may put
 * bytes or well-formed structures into RAM (fuzz_hostcall_forms.c), and may have another thread change eight of these bytes to
 * and fro while calls run. ASan watches the VMM's own memory, fuzz_dir_check the files it must not touch.
 *
 * Host sockets are fuzzed where a network namespace of our own can be had, for which root is needed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_hostcall_forms.h"
#include "fuzz_vmm.h"
#include "vmm/file_handles.h"
#include "vmm/hostcall.h"
#include "vmm/io.h"
#include "vmm/memory.h"
#include "vmm/vcpu.h"

#define RAM_AT    (DIRECT_BASE + BOOT_RESERVED_END)
/* Not calls, but bytes in their place. */
#define POKE      0xff /* copies the input's next bytes to RAM */
#define RACE      0xfe /* from now on another thread changes a word of RAM */
#define FORM      0xfd /* a structure with sound contents */
/* Of an argument's kind: what the call's list entry says it should be. */
#define TYPED     0x80
#define HANDLES   32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const uint8_t *in;
static size_t left;
static uint64_t handles[HANDLES]; /* some of them closed meanwhile */
static unsigned nr_handles;

static const char *const arguments[HC_MAX] = {
#define ARGUMENTS(nr, name, family, args, doc) [nr] = args,
	HOSTCALLS(ARGUMENTS)
#undef ARGUMENTS
};

/* ---- the other thread ---- */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t start;
	uint64_t at, other; /* lock: an address in RAM, 0 while nothing is to be changed; what to change it to */
	_Atomic bool stop;
} race = {.lock = PTHREAD_MUTEX_INITIALIZER, .start = PTHREAD_COND_INITIALIZER};

static void *race_thread(void *arg)
{
	pthread_mutex_lock(&race.lock);
	for (;;) {
		while (!race.at)
			pthread_cond_wait(&race.start, &race.lock);
		_Atomic uint64_t *word = (_Atomic uint64_t *)race.at;
		uint64_t own = atomic_load_explicit(word, memory_order_relaxed);

		while (!atomic_load(&race.stop)) {
			atomic_store_explicit(word, race.other, memory_order_relaxed);
			atomic_store_explicit(word, own, memory_order_relaxed);
		}
		race.at = 0;
	}
	return NULL;
}

static void race_begin(uint64_t at, uint64_t other)
{
	pthread_mutex_lock(&race.lock);
	race.at = at;
	race.other = other;
	atomic_store(&race.stop, false);
	pthread_cond_signal(&race.start);
	pthread_mutex_unlock(&race.lock);
}

static void race_end(void)
{
	atomic_store(&race.stop, true);
	pthread_mutex_lock(&race.lock);
	race.at = 0;
	pthread_mutex_unlock(&race.lock);
}

/* A network namespace with a loopback interface that is up. */
static bool own_network(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd, r;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	r = ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
	return r == 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fds[4], own[4] = {-1, -1, -1, -1};
	pthread_t t;

	fuzz_vmm_init(-1);
	vmm.cfg.host_network = own_network();
	ENSURE(pipe(fds) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, fds + 2) == 0);
	ENSURE(io_init(fds, own, 4) == 0);
	ENSURE(pthread_create(&t, NULL, race_thread, NULL) == 0);
	return 0;
}

/* ---- calls ---- */
static uint64_t take(unsigned n)
{
	uint64_t v = 0;

	n = n < left ? n : left;
	memcpy(&v, in, n);
	in += n;
	left -= n;
	return v;
}

static uint64_t some_handle(unsigned which, uint64_t last)
{
	return nr_handles && which ? handles[which % nr_handles] : last;
}

/* The name of argument i, as far as it counts. */
static const char *name_of(uint64_t nr, unsigned i)
{
	const char *s = nr < HC_MAX && arguments[nr] ? arguments[nr] : "";

	for (; i; i--) {
		s = strchr(s, ',');
		if (!s)
			return "";
		s += 2;
	}
	return s;
}

/* What the call wants there: mostly right, so that it gets past its first checks. */
static uint64_t typed(uint64_t nr, unsigned i, unsigned how, uint64_t last)
{
	const char *name = name_of(nr, i);
	size_t n = strcspn(name, ",");

	if (n && name[n - 1] == '*')
		return RAM_AT + FORM_SPACING * (how & 15);
	if (nr == HC_RAM_POPULATE || nr == HC_RAM_RECLAIM)
		return i ? PAGE_SIZE << (how & 15) : BOOT_RESERVED_END + ((uint64_t)how << 18);
	if (!strncmp(name, "pa", 2))
		return FILEWIN_PA + ((uint64_t)how << PAGE_SHIFT);
	if (!strncmp(name, "len", 3) || !strncmp(name, "n", 1) || !strncmp(name, "bytes", 5))
		return nr == HC_FS_MAP || nr == HC_FS_UNMAP ? PAGE_SIZE << (how & 3) : how & 31;
	if (!strncmp(name, "offset", 6) || !strncmp(name, "cookie", 6) || !strncmp(name, "in_off", 6) || !strncmp(name, "out_off", 7))
		return (uint64_t)how << (how & 1 ? PAGE_SHIFT : 0);
	if (!strncmp(name, "handle", 6) || !strncmp(name, "dir", 3) || !strncmp(name, "in", n) || !strncmp(name, "out", n) ||
	    !strncmp(name, "sock", 4))
		return some_handle(how, last);
	return how;
}

static uint64_t argument(uint64_t nr, unsigned i, uint64_t last)
{
	unsigned kind = take(1);

	if (kind & TYPED)
		return typed(nr, i, kind & ~TYPED, last);
	switch (kind & 15) {
	case 0: return take(8);
	case 1: return RAM_AT + take(2);                          /* what pokes write */
	case 2: return DIRECT_BASE + memory_ram_end() - take(2);  /* the end of RAM, or across it */
	case 3: return DIRECT_BASE + FILEWIN_PA + (take(1) << PAGE_SHIFT);
	case 4: return FILEWIN_PA + (take(1) << PAGE_SHIFT);
	case 5: return take(1) << PAGE_SHIFT;
	case 6: return ~take(2);                                  /* lengths that wrap */
	case 7: return last;                                      /* a handle, mostly */
	case 8: return IMAGE_BASE + take(2);
	case 9: return FILEWIN_PA_END - (take(1) << PAGE_SHIFT);
	case 10: return 1ull << (take(1) & 63);
	case 11: return some_handle(take(1), last);
	default: return kind >> 4;
	}
}

/* Those that end or stop the machine, and the guard that makes RAM fault, are the Sentry's to use against itself only. */
static bool wanted(uint64_t nr)
{
	return nr != HC_PANIC && nr != HC_EXIT && nr != HC_STACK_GUARD && nr != HC_IDLE && nr != HC_YIELD;
}

static void prepare(unsigned what)
{
	uint64_t off = take(2), n = take(1);

	if (what == FORM) {
		fuzz_form((void *)(RAM_AT + off / FORM_SPACING * FORM_SPACING), n, RAM_AT + FORM_SPACING * 15, take(1));
	} else if (what == RACE) {
		race_end();
		race_begin(RAM_AT + (off & ~7UL), n & 1 ? take(8) : ~0UL << (n >> 1 & 63));
	} else {
		n = n < left ? n : left;
		memcpy((char *)RAM_AT + off, in, n);
		in += n;
		left -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmm_vcpu v;
	static unsigned runs;
	int64_t last;

	fuzz_begin();
	in = data;
	left = size;
	nr_handles = 0;
	last = hostcall_dispatch(&v, HC_FS_ROOT, (uint64_t[6]){0, RAM_AT});
	for (unsigned calls = 0; left && calls < 64; calls++) {
		uint64_t nr = take(1), a[6];

		if (nr_handles < HANDLES && last >= 0 && last != HC_NO_HANDLE)
			handles[nr_handles++] = last;
		if (nr >= FORM) {
			prepare(nr);
			continue;
		}
		for (unsigned i = 0; i < 6; i++)
			a[i] = argument(nr, i, last);
		if (wanted(nr)) {
			int64_t r = hostcall_dispatch(&v, nr, a);

			last = r >= 0 ? r : last;
		}
	}
	race_end();
	for (unsigned i = 0; i < nr_handles; i++) {
		(void)!file_handle_close(handles[i]);
		(void)!hostcall_dispatch(&v, HC_NET_CLOSE, (uint64_t[6]){handles[i]});
	}
	ENSURE(hostcall_dispatch(&v, HC_FS_UNMAP, (uint64_t[6]){FILEWIN_PA, FILEWIN_SLOT_SIZE}) == 0);
	fuzz_dir_check();
	if (++runs % 256 == 0)
		fuzz_dir_reset();
	return 0;
}
