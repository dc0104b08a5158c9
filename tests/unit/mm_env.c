/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for Sentry code in a test process: RAM at DIRECT_BASE, hostcalls that do what the VMM would, a current task
 * on an aligned stack, and the few functions of other subsystems that mm/ calls. One thread, so locks never wait.
 *
 * The kernel's headers and libc's do not go together in one file: the few libc functions needed are declared here.
 */
#include "boot/boot.h"
#include "mm/mm_impl.h"
#include "mm_env.h"
#include "signal/signal.h"
#include "task/random.h"
#include "time/timer.h"

int printf(const char *fmt, ...);
int vprintf(const char *fmt, va_list ap);
NORETURN void abort(void);
void *aligned_alloc(size_t align, size_t size);
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long off);
int madvise(void *addr, size_t len, int advice);

static uint64_t ram_bytes = RAM_CHUNK_SIZE;
struct env_counts env_counts;
uint64_t boot_kernel_pml4[16] = {0x1003};
struct boot_params boot;
struct container container0;
spinlock_t tasklist_lock;
struct list_node process_list = LIST_INIT(process_list);
bool log_debug_enabled;
static struct task task;
static struct process process;

uint64_t random_u64(void) { return 0x5a5a5a5a5a5a5a5aUL; }

int64_t hostcall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	switch (nr) {
	case HC_RAM_GROW:
		if (ram_bytes + a0 > ENV_RAM_LIMIT)
			return -ENOMEM;
		ram_bytes += a0;
		env_counts.grown++;
		return ram_bytes;
	case HC_RAM_POPULATE:
		env_counts.populated += a1;
		return 0;
	case HC_RAM_RECLAIM:
		env_counts.reclaimed += a1;
		return madvise((void *)(DIRECT_BASE + a0), a1, MADV_DONTNEED) ? -EINVAL : 0;
	case HC_AS_CREATE:
		env_counts.spaces++;
		return 0;
	case HC_AS_DESTROY:
		env_counts.spaces--;
		return 0;
	case HC_AS_FLUSH:
		env_counts.flushes++;
		return 0;
	case HC_AS_MAP:
		env_counts.maps++;
		return 0;
	default:
		return 0;
	}
}

void klog(enum log_level level, const char *fmt, ...) {}
void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	printf("\n");
	abort();
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size) {
		size_t k = n < size - 1 ? n : size - 1;
		memcpy(dst, src, k);
		dst[k] = 0;
	}
	return n;
}

void spin_lock_slow(spinlock_t *l) { panic("a spinlock is taken twice"); }
void mutex_lock(struct mutex *m) {}
void mutex_unlock(struct mutex *m) {}
void rwsem_init(struct rwsem *s) { *s = (struct rwsem){0}; }
void rwsem_read_lock(struct rwsem *s)
{
	if (s->count < 0)
		panic("reading under a write lock");
	s->count++;
}
void rwsem_read_unlock(struct rwsem *s) { s->count--; }
void rwsem_write_lock(struct rwsem *s)
{
	if (s->count)
		panic("a rwsem is taken twice");
	s->count = -1;
}
void rwsem_write_unlock(struct rwsem *s) { s->count = 0; }
void cond_resched(void) {}
void task_prepare_wait(bool interruptible) {}
int task_sleep(uint64_t deadline) { return -ETIMEDOUT; }
void task_finish_wait(void) {}
uint64_t clock_monotonic(void) { return 0; }
void timer_init(struct ktimer *t, void (*fn)(struct ktimer *)) { t->fn = fn; }
void timer_arm(struct ktimer *t, uint64_t deadline) { t->fn(t); }
uint64_t rlimit_cur(unsigned resource) { return resource == RLIMIT_STACK ? 8UL << 20 : UINT64_MAX; }
bool capable(int cap) { return true; }
int inode_deny_write(struct inode *inode)
{
	(void)inode;
	return 0;
}

void inode_allow_write(struct inode *inode)
{
	(void)inode;
}

void file_put(struct file *f)
{
	if (ref_put(&f->refs))
		env_counts.files_gone++;
}
void oom_kill(void) { env_counts.oom++; }
void signal_fault(int signo, int code, uint64_t addr, int trapno, uint64_t error) { env_counts.signals++; }

int env_run(int (*fn)(void))
{
	char *stack = aligned_alloc(KSTACK_SIZE, KSTACK_SIZE);
	void *ram = mmap((void *)DIRECT_BASE, ENV_RAM_LIMIT, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	int result;

	if (ram != (void *)DIRECT_BASE || !stack)
		return 77;
	*(struct task **)(stack + KSTACK_TASK_OFF) = &task;
	task.proc = &process;
	__asm__ volatile("mov %%rsp, %%rbx; mov %2, %%rsp; call *%1; mov %%rbx, %%rsp"
	                 : "=a"(result)
	                 : "r"(fn), "r"(stack + KSTACK_TASK_OFF)
	                 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
	return result;
}

void env_set_mm(struct mm *mm)
{
	task.mm = mm;
}
