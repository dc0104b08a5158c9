/* SPDX-License-Identifier: Apache-2.0 */
/*
 * panic(): a broken invariant of the Sentry. The backtrace follows frame pointers inside the current kernel stack; the
 * host resolves the addresses, since it has the image's symbol table. Uses no lock and no memory but the stack.
 */
#include "arch/cpu.h"
#include "lib/log.h"
#include "lib/string.h"

#define BACKTRACE_MAX 32

static size_t backtrace(char *buf, size_t size, uint64_t frame)
{
	uint64_t base = frame & ~(KSTACK_SIZE - 1);
	size_t n = 0;

	for (int i = 0; i < BACKTRACE_MAX && n < size; i++) {
		if ((frame & ~(KSTACK_SIZE - 1)) != base || (frame & 7) || frame + 16 > base + KSTACK_TASK_OFF)
			break;
		uint64_t next = ((const uint64_t *)frame)[0], ret = ((const uint64_t *)frame)[1];
		if (ret < IMAGE_BASE || ret >= IMAGE_BASE + IMAGE_MAX_SIZE)
			break;
		n += (size_t)snprintf(buf + n, size - n, "\n  #%-2d 0x%lx", i, ret);
		if (next <= frame)
			break;
		frame = next;
	}
	return MIN(n, size);
}

static uint32_t panicking;

NORETURN void panic(const char *fmt, ...)
{
	char msg[896];
	va_list ap;

	va_start(ap, fmt);
	size_t n = MIN((size_t)vsnprintf(msg, 256, fmt, ap), (size_t)255);
	va_end(ap);
	if (!__atomic_exchange_n(&panicking, 1, __ATOMIC_SEQ_CST)) {
		n += backtrace(msg + n, sizeof(msg) - n, (uint64_t)__builtin_frame_address(0));
		(void)hostcall2(HC_PANIC, msg, MIN(n, sizeof(msg) - 1));
	}
	for (;;)
		(void)hostcall1(HC_IDLE, UINT64_MAX); /* another vCPU panicked first, and is ending the sandbox */
}
