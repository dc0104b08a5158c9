/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile Sentry: sequences of hostcalls with any arguments and any bytes in RAM. Each call is a byte for its number,
 * six bytes that say what kind each argument is, and what those kinds take of the input. ASan watches the VMM's own
 * memory, fuzz_dir_check the files it must not touch.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_vmm.h"
#include "vmm/file_handles.h"
#include "vmm/hostcall.h"
#include "vmm/io.h"
#include "vmm/memory.h"
#include "vmm/vcpu.h"

#define RAM_AT    (DIRECT_BASE + BOOT_RESERVED_END)
#define RAM_BYTES 65536
#define POKE      0xff /* not a call: copies the input's next bytes to RAM */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const uint8_t *in;
static size_t left;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fds[4], own[4] = {-1, -1, -1, -1};

	fuzz_vmm_init(-1);
	ENSURE(pipe(fds) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, fds + 2) == 0);
	ENSURE(io_init(fds, own, 4) == 0);
	return 0;
}

static uint64_t take(unsigned n)
{
	uint64_t v = 0;

	n = n < left ? n : left;
	memcpy(&v, in, n);
	in += n;
	left -= n;
	return v;
}

static uint64_t argument(uint64_t last)
{
	unsigned kind = take(1);

	switch (kind & 15) {
	case 0: return take(8);
	case 1: return RAM_AT + take(2);                          /* what pokes write */
	case 2: return DIRECT_BASE + memory_ram_end() - take(2);  /* the end of RAM, or across it */
	case 3: return DIRECT_BASE + FILEWIN_PA + (take(1) << PAGE_SHIFT);
	case 4: return FILEWIN_PA + (take(1) << PAGE_SHIFT);
	case 5: return take(1) << PAGE_SHIFT;
	case 6: return ~take(2);
	case 7: return last;                                      /* a handle, mostly */
	case 8: return IMAGE_BASE + take(2);
	case 9: return FILEWIN_PA_END - (take(1) << PAGE_SHIFT);
	case 10: return 1ull << (take(1) & 63);
	default: return kind >> 4;
	}
}

/* Those that end or stop the machine, and the guard that makes RAM fault, are the Sentry's to use against itself only. */
static bool wanted(uint64_t nr)
{
	return nr != HC_PANIC && nr != HC_EXIT && nr != HC_STACK_GUARD && nr != HC_IDLE && nr != HC_YIELD;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmm_vcpu v;
	static unsigned runs;
	uint64_t handles[32];
	unsigned nr_handles = 0;
	int64_t last;

	fuzz_begin();
	in = data;
	left = size;
	last = hostcall_dispatch(&v, HC_FS_ROOT, (uint64_t[6]){0, RAM_AT});
	for (unsigned calls = 0; left && calls < 64; calls++) {
		uint64_t nr = take(1), a[6];

		if (nr_handles < 32 && last >= 0 && last != HC_NO_HANDLE)
			handles[nr_handles++] = last;
		if (nr == POKE) {
			uint64_t off = take(2), n = take(1);

			n = n < left ? n : left;
			memcpy((char *)RAM_AT + off, in, n);
			in += n;
			left -= n;
			continue;
		}
		for (unsigned i = 0; i < 6; i++)
			a[i] = argument(last);
		if (wanted(nr)) {
			int64_t r = hostcall_dispatch(&v, nr, a);

			last = r >= 0 ? r : last;
		}
	}
	for (unsigned i = 0; i < nr_handles; i++)
		if (file_handle_close(handles[i]) == 0)
			continue;
	ENSURE(hostcall_dispatch(&v, HC_FS_UNMAP, (uint64_t[6]){FILEWIN_PA, FILEWIN_SLOT_SIZE}) == 0);
	fuzz_dir_check();
	if (++runs % 256 == 0)
		fuzz_dir_reset();
	return 0;
}
