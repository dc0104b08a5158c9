/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of hostile programs through task/elf.c. The first byte's low bit says whether an interpreter exists; it is the
 * same file. What the loader asks of mm/ must be sane whatever the file says. Runs on a stack that knows a current task,
 * like tests/unit/mm_env.c.
 */
#include "lib/log.h"
#include "lib/string.h"
#include "task/exec.h"
#include "task/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void *malloc(size_t n);
void *aligned_alloc(size_t align, size_t n);
void free(void *p);
NORETURN void abort(void);

static const uint8_t *bytes;
static size_t length;
static struct file_ops ops = {.mmap = (void *)1};
static struct file program = {.ops = &ops}, interp = {.ops = &ops};
static struct task task;
static struct mm mm;
bool log_debug_enabled;

#define ENSURE(cond) \
	do { \
		if (!(cond)) \
			abort(); \
	} while (0)

void klog(enum log_level level, const char *fmt, ...) {}
void *kmalloc(size_t n) { return malloc(n); }
void kfree(const void *p) { free((void *)p); }
uint64_t rlimit_cur(unsigned resource) { return 8UL << 20; }
uint64_t random_u64(void) { return 0x123456789abcdef; }
void exec_file_put(struct file *f) { ENSURE(f == &interp); }

struct file *exec_file_open(int dfd, const char *name, uint32_t lookup_flags)
{
	ENSURE(strnlen(name, PATH_MAX_ + 1) <= PATH_MAX_);
	return bytes[0] & 1 ? &interp : ERR_PTR(-ENOENT);
}

ssize_t_ file_read_kernel(struct file *f, void *buf, size_t n, uint64_t off)
{
	ENSURE((int64_t)off >= 0 && (int64_t)(off + n) >= 0 && n <= 65536);
	if (off >= length)
		return 0;
	n = MIN(n, length - off);
	memcpy(buf, bytes + off, n);
	return n;
}

int64_t mm_mmap(struct mm *m, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, struct file *f, uint64_t pgoff)
{
	ENSURE(m == &mm && len && !(addr & (PAGE_SIZE - 1)) && !(prot & ~7u) && (!f || pgoff <= UINT64_MAX >> PAGE_SHIFT));
	if (len > USER_MAX || addr > USER_MAX - len)
		return -ENOMEM;
	return addr ? (int64_t)addr : (int64_t)ROUND_DOWN(USER_MAX - len, PAGE_SIZE);
}

int mm_munmap(struct mm *m, uint64_t addr, uint64_t len) { return 0; }
int mm_fault_in(struct mm *m, uint64_t addr, bool write)
{
	ENSURE(addr < USER_MAX);
	return 0;
}

ssize_t_ mm_copy_out(struct mm *m, uint64_t dst, const void *src, size_t n, bool force)
{
	ENSURE(dst < USER_MAX && n <= USER_MAX - dst);
	return n;
}

static void load(void)
{
	struct exec_image x = {.file = &program};
	struct exec_head h;

	ENSURE(!exec_read_head(&program, &h));
	mm = (struct mm){0};
	if (elf_prepare(&x, &h) == 0 && elf_load(&x, &mm) == 0)
		ENSURE(mm.brk == mm.brk_start);
	elf_release(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *stack;

	if (!stack)
		stack = aligned_alloc(KSTACK_SIZE, KSTACK_SIZE);
	if (size < 1)
		return 0;
	bytes = data;
	length = size;
	*(struct task **)(stack + KSTACK_TASK_OFF) = &task;
	__asm__ volatile("mov %%rsp, %%rbx; mov %1, %%rsp; call *%0; mov %%rbx, %%rsp"
	                 :
	                 : "r"(load), "r"(stack + KSTACK_TASK_OFF)
	                 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
	return 0;
}
