/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for the VFS in a test process: libc's heap behind kmalloc (so that sanitizers see every object), user
 * memory that is the process's own, one task on an aligned stack. Locks check that they are free; a task that would
 * sleep is interrupted by a signal instead.
 *
 * The kernel's headers and libc's do not go together in one file: the few libc functions needed are declared here.
 */
#include "vfs_env.h"

#include "fs/namei.h"
#include "fs/poll.h"
#include "fs/proc/proc.h"
#include "lib/log.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "task/task.h"
#include "task/user_ns.h"

int vprintf(const char *fmt, va_list ap);
int printf(const char *fmt, ...);
NORETURN void abort(void);
void *malloc(size_t n);
void *calloc(size_t n, size_t m);
void *realloc(void *p, size_t n);
void free(void *p);
void *aligned_alloc(size_t align, size_t size);

struct container container0;
spinlock_t tasklist_lock;
struct list_node process_list = LIST_INIT(process_list);
bool log_debug_enabled;
uint64_t env_now = 1700000000ull * 1000000000;
uint32_t env_locks_held;
static struct task task;
static struct process process;
static struct nsproxy nsproxy = {.refs = {1}, .mnt = &mnt_ns0};

void klog(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void panic(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	printf("\n");
	abort();
}

/* ---- memory ---- */
void *kmalloc(size_t n) { return malloc(n ? n : 1); }
void *kzalloc(size_t n) { return calloc(1, n ? n : 1); }
void *krealloc(void *p, size_t n) { return realloc(p, n); }
void kfree(const void *p) { free((void *)p); }
char *kstrdup(const char *s) { return kmemdup_str(s, strlen(s)); }
char *kmemdup_str(const char *s, size_t n)
{
	char *p = malloc(n + 1);
	memcpy(p, s, n);
	p[n] = 0;
	return p;
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

int parse_u64(const char *s, int base, uint64_t *out)
{
	*out = 0;
	if (!*s)
		return -EINVAL;
	for (; *s >= '0' && *s < '0' + base; s++)
		*out = *out * base + (*s - '0');
	return *s ? -EINVAL : 0;
}

/* A page and its memory in one block. */
struct env_page {
	struct page page;
	char *mem;
};

struct page *page_alloc(unsigned order, uint32_t flags)
{
	struct env_page *p = calloc(1, sizeof(*p));
	p->mem = calloc(1, PAGE_SIZE);
	p->page.refs = 1;
	return &p->page;
}
void page_get(struct page *p) { p->refs++; }
void page_put(struct page *p)
{
	if (--p->refs)
		return;
	free(((struct env_page *)p)->mem);
	free(p);
}
pa_t page_to_pa(const struct page *p) { return direct_to_pa(((const struct env_page *)p)->mem); }

/* ---- mappings: an array of the first pages ---- */
#define MAPPING_PAGES 1024
void mapping_init(struct mapping *m, struct inode *host)
{
	*m = (struct mapping){.host = host};
	list_init(&m->vmas);
}
struct page *mapping_page(struct mapping *m, uint64_t index, bool create)
{
	struct page **a = m->pages;
	if (index >= MAPPING_PAGES)
		return NULL;
	if (!a && create)
		m->pages = a = calloc(MAPPING_PAGES, sizeof(*a));
	if (!a)
		return NULL;
	if (!a[index] && create) {
		a[index] = page_alloc(0, 0);
		m->nr_pages++;
	}
	if (a[index])
		page_get(a[index]);
	return a[index];
}
int mapping_reserve(struct mapping *m, uint64_t index)
{
	struct page *p = mapping_page(m, index, true);
	if (!p)
		return -ENOMEM;
	page_put(p);
	return 0;
}
/* No page is known to be untouched. */
void mapping_unreserve(struct mapping *m, uint64_t first, uint64_t last) {}
void mapping_count_writer(struct vma *v) {}
void mapping_truncate(struct mapping *m, uint64_t first, uint64_t last)
{
	struct page **a = m->pages;
	for (uint64_t i = first; a && i <= last && i < MAPPING_PAGES; i++) {
		if (a[i]) {
			page_put(a[i]);
			a[i] = NULL;
			m->nr_pages--;
		}
	}
}
void mapping_destroy(struct mapping *m)
{
	mapping_truncate(m, 0, UINT64_MAX);
	free(m->pages);
}
uint64_t mapping_next(struct mapping *m, uint64_t from)
{
	struct page **a = m->pages;
	for (uint64_t i = from; a && i < MAPPING_PAGES; i++)
		if (a[i])
			return i;
	return UINT64_MAX;
}
const struct vm_ops mapping_vm_ops;

/* ---- user memory: ours; the first page faults ---- */
static bool bad(uva_t u) { return u.v < 4096; }
int copy_in(void *dst, uva_t src, size_t n)
{
	if (n && bad(src))
		return -EFAULT;
	memcpy(dst, (void *)src.v, n);
	return 0;
}
int copy_out(uva_t dst, const void *src, size_t n)
{
	if (n && bad(dst))
		return -EFAULT;
	memcpy((void *)dst.v, src, n);
	return 0;
}
size_t copy_in_partial(void *dst, uva_t src, size_t n) { return copy_in(dst, src, n) ? 0 : n; }
size_t copy_out_partial(uva_t dst, const void *src, size_t n) { return copy_out(dst, src, n) ? 0 : n; }
int clear_user(uva_t dst, size_t n)
{
	if (bad(dst))
		return -EFAULT;
	memset((void *)dst.v, 0, n);
	return 0;
}
ssize_t_ copy_in_string(char *dst, uva_t src, size_t size)
{
	if (bad(src))
		return -EFAULT;
	size_t n = strnlen((char *)src.v, size);
	if (n == size)
		return -ENAMETOOLONG;
	memcpy(dst, (void *)src.v, n + 1);
	return n;
}
ssize_t_ mm_pin_append(uva_t addr, size_t len, bool write, struct pin_set *out) { return -EFAULT; }
ssize_t_ mm_pin_kernel(void *buf, size_t len, struct pin_set *out) { return -EAGAIN; }

/* ---- locks and sleeping ---- */
void spin_lock_slow(spinlock_t *l) { panic("a spinlock is taken twice"); }
void mutex_init(struct mutex *m)
{
	*m = (struct mutex){0};
	list_init(&m->waiters);
}
void mutex_lock(struct mutex *m)
{
	if (m->owner)
		panic("a mutex is taken twice");
	m->owner = &task;
	env_locks_held++;
}
void mutex_unlock(struct mutex *m)
{
	if (!m->owner)
		panic("a free mutex is unlocked");
	m->owner = NULL;
	env_locks_held--;
}
void cond_resched(void) {}
void task_prepare_wait(bool interruptible)
{
	if (env_locks_held)
		panic("sleeping with a lock held");
}
int task_sleep(uint64_t deadline) { return -ERESTARTSYS; }
void task_finish_wait(void) {}
void wait_queue_init(struct wait_queue *q)
{
	spin_init(&q->lock);
	list_init(&q->waiters);
}
void waiter_init(struct waiter *w) { *w = (struct waiter){.link = LIST_INIT(w->link)}; }
void wait_queue_add(struct wait_queue *q, struct waiter *w) { list_add_tail(&w->link, &q->waiters); }
void wait_queue_remove(struct wait_queue *q, struct waiter *w) { list_del(&w->link); }
void wake_up_nr(struct wait_queue *q, int nr, uint32_t events) {}
bool task_wake_state(struct task *t, uint32_t mask) { return false; }
struct task *kthread_create(const char *name, void (*fn)(void *), void *arg) { return NULL; }

/* ---- tasks ---- */
uint64_t clock_realtime(void) { return env_now += 1000; }
uint64_t clock_monotonic(void) { return env_now; }
uint64_t rlimit_cur(unsigned resource) { return resource == RLIMIT_NOFILE ? 1024 : UINT64_MAX; }
struct task *task_find(int tid) { return NULL; }
int pid_vnr(int id) { return id; }
int pid_from_user(int nr) { return nr; }
int ns_init(struct ns_common *ns, enum ns_kind kind, struct user_ns *owner)
{
	ref_init(&ns->refs);
	return 0;
}
struct user_ns *ns_owner_current(void) { return &init_user_ns; }
void ns_put(struct ns_common *ns) { (void)!ref_put(&ns->refs); }
void page_stats(struct page_stats *s) { *s = (struct page_stats){.limit = 1u << 18}; }
uint64_t proc_sys_value(const char *name)
{
	if (!strncmp(name, "max_user_", 9))
		return 65536;
	return !strcmp(name, "protected_symlinks") || !strcmp(name, "protected_hardlinks");
}
struct task *task_lookup(int tid) { return NULL; }
bool pgrp_exists(int pgid) { return false; }
struct process *process_find(int pid) { return NULL; }
void task_put(struct task *t) {}
void process_put(struct process *p) {}
void siginfo_user(siginfo_t *si, int signo, int code) {}
void siginfo_kernel(siginfo_t *si, int signo) {}
int signal_send_task(struct task *t, const siginfo_t *si) { return 0; }
int signal_send_process(struct process *p, const siginfo_t *si) { return 0; }
int signal_send_pgrp(int pgid, const siginfo_t *si) { return 0; }
uint32_t file_poll(struct file *f, struct poll_table *pt) { return f->ops->poll ? f->ops->poll(f, pt) : EPOLLIN | EPOLLOUT; }
void epoll_file_release(struct file *f) {}
int chrdev_open(struct inode *i, struct file *f) { return -ENXIO; }
extern const struct fs_type tmpfs_type;
const struct fs_type *const fs_types[] = {&tmpfs_type, NULL};

void env_set_ids(uint32_t uid, uint32_t gid, uint64_t caps)
{
	struct cred *c = cred_copy(task.cred);
	c->uid = c->euid = c->suid = c->fsuid = uid;
	c->gid = c->egid = c->sgid = c->fsgid = gid;
	c->cap_effective = c->cap_permitted = caps;
	cred_commit(c);
}

static int (*env_fn)(void);

static int start(void)
{
	struct cred *c = kzalloc(sizeof(*c));
	ref_init(&c->refs);
	c->cap_effective = c->cap_permitted = CAP_ALL;
	task.cred = c;
	c->user_ns = &init_user_ns;
	task.proc = &process;
	task.nsproxy = &nsproxy;
	vfs_init();
	struct super_block *sb = tmpfs_mount(&tmpfs_type, "none", "mode=755", 0);
	if (IS_ERR(sb) || mount_attach(sb, NULL, 0, "none"))
		panic("no root");
	task.fs = fs_context_create();
	task.fs->umask = 022;
	task.files = files_create();
	int r = env_fn();
	files_put(task.files);
	fs_context_put(task.fs);
	return r;
}

int env_run(int (*fn)(void))
{
	char *stack = aligned_alloc(KSTACK_SIZE, KSTACK_SIZE);
	int result;
	*(struct task **)(stack + KSTACK_TASK_OFF) = &task;
	env_fn = fn;
	__asm__ volatile("mov %%rsp, %%rbx; mov %2, %%rsp; call *%1; mov %%rbx, %%rsp"
	                 : "=a"(result)
	                 : "r"(start), "r"(stack + KSTACK_TASK_OFF)
	                 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
	return result;
}
