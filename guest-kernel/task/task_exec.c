/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execve(2) inside the kernel. Two halves: everything that may be refused, without side effects; then, once the other
 * threads are gone, the commitment. What fails after that kills the process with SIGSEGV, as on Linux.
 */
#include "arch/vdso.h"
#include "lib/log.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "task/exec.h"
#include "task/futex.h"
#include "task/rseq.h"

#define EXEC_DEPTH 5 /* "#!" within "#!" */
#define PERSONALITY_CLEAR_ON_SETID 0x0740000u /* PER_CLEAR_ON_SETID: READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE, ... */

void exec_args_free(struct exec_args *a)
{
	for (int i = 0; a->argv && i < a->argc; i++)
		kfree(a->argv[i]);
	for (int i = 0; a->envp && i < a->envc; i++)
		kfree(a->envp[i]);
	kfree(a->argv);
	kfree(a->envp);
	kfree(a->interp_name);
	a->argv = a->envp = NULL;
	a->interp_name = NULL;
}

/* Follows "#!" until the file is a program whose headers are acceptable. a->file is the program's afterwards. */
static int find_program(struct exec_args *a, struct exec_image *x)
{
	struct exec_head *h = kmalloc(sizeof(*h));

	if (!h)
		return -ENOMEM;
	int err;
	for (int depth = 0;; depth++) {
		if (depth > EXEC_DEPTH) {
			err = -ELOOP;
			break;
		}
		err = exec_read_head(a->file, h);
		if (err)
			break;
		err = exec_script(a, h->bytes);
		if (err < 0)
			break;
		if (err == 0) {
			x->file = a->file;
			err = elf_prepare(x, h);
			break;
		}
	}
	kfree(h);
	return err;
}

static struct mm *build_mm(struct exec_args *a, struct exec_image *x, const struct exec_cred *ec, uint64_t *sp)
{
	struct mm *mm = mm_create();

	if (!mm)
		return NULL;
	int err = elf_load(x, mm);
	if (!err) {
		int64_t base = vdso_map(mm);
		mm->vdso_base = base > 0 ? (uint64_t)base : 0;
		err = exec_stack_build(a, x, mm, ec->cred, ec->secure, sp);
	}
	if (err) {
		pr_debug("exec of %s failed late: error %d", a->filename, -err);
		mm_put(mm);
		return NULL;
	}
	file_get(x->file);
	(void)inode_deny_write(x->file->inode); /* succeeds: a->file denies already; undone with exe_file */
	mm->exe_file = x->file;
	return mm;
}

static void install_mm(struct task *t, struct mm *mm)
{
	struct mm *old = t->mm;

	spin_lock(&t->lock);
	t->mm = mm;
	t->uc.cr3 = mm->pml4.v;
	spin_unlock(&t->lock);
	if (old)
		mm_put(old);
}

static void set_exe(struct process *p, struct file *f)
{
	struct file *old = p->exe;

	file_get(f);
	p->exe = f;
	if (old)
		file_put(old);
}

/* A descriptor table shared with another process stays with that one. */
static int unshare_files(struct task *t)
{
	struct files *old = t->files;

	if (!files_shared(old))
		return 0;
	struct files *copy = files_copy(old);
	if (!copy)
		return -ENOMEM;
	spin_lock(&t->lock);
	t->files = copy;
	spin_unlock(&t->lock);
	files_put(old);
	return 0;
}

static void reset_registers(struct task *t, uint64_t entry, uint64_t sp)
{
	struct user_regs *r = &t->uc.regs;

	memset(r, 0, sizeof(*r));
	r->rip = entry;
	r->rsp = sp;
	r->cs = 0x33;
	r->ss = 0x2b;
	r->rflags = 0x202;
	r->orig_rax = UINT64_MAX;
	task_fpu_drop();
	task_fpu_reset(t);
}

static void set_comm(struct task *t, const char *path)
{
	const char *slash = strrchr(path, '/');

	strlcpy(t->comm, slash ? slash + 1 : path, sizeof(t->comm));
}

/* The new program's own start: nothing here can fail. */
static void commit(struct task *t, struct exec_args *a, struct exec_image *x, struct exec_cred *ec, struct mm *mm, uint64_t sp)
{
	struct process *p = t->proc;

	if (t->mm)
		task_leave_memory(t);
	/* Before it can be seen: whoever may look at the old program may not look at one that gains rights. */
	mm->dumpable = ec->readable && !ec->gained && ec->cred->euid == ec->cred->uid && ec->cred->egid == ec->cred->gid;
	install_mm(t, mm);
	task_vfork_done(t);
	set_exe(p, x->file);
	set_comm(t, a->filename);
	files_close_on_exec(t->files);
	process_signal_exec(p);
	signal_altstack_reset(t);
	process_timers_exec(p);
	rseq_exec(t);
	t->robust_list = t->robust_list_len = 0;
	if (ec->gained) {
		t->pdeath_signal = 0;
		t->personality &= ~PERSONALITY_CLEAR_ON_SETID;
	}
	cred_commit(ec->cred);
	ec->cred = NULL;
	spin_lock(&tasklist_lock);
	p->did_exec = true;
	p->exit_signal = SIGCHLD;
	spin_unlock(&tasklist_lock);
	t->tsc_sigsegv = false;
	reset_registers(t, x->entry, sp);
}

/* Nobody attaches between the look for a tracer, which decides about rights, and the moment they hold. */
static void execs_add(struct process *p, int n)
{
	spin_lock(&tasklist_lock);
	p->execs += (uint32_t)n;
	spin_unlock(&tasklist_lock);
	if (n < 0)
		wake_up_all(&p->exit_wait);
}

int task_exec(struct exec_args *a)
{
	struct task *t = current;
	struct exec_image x = {0};
	struct exec_cred ec = {0};
	uint64_t sp = 0;
	int old_tid = t->tid;

	int err = find_program(a, &x);
	execs_add(t->proc, 1);
	if (!err)
		err = exec_cred_prepare(&ec, &x);
	if (!err)
		err = unshare_files(t);
	if (!err)
		err = task_zap_others();
	if (err)
		goto out;
	/* The point of no return. */
	struct mm *mm = build_mm(a, &x, &ec, &sp);
	if (!mm) {
		cred_put(ec.cred);
		elf_release(&x);
		exec_file_put(a->file);
		exec_args_free(a);
		execs_add(t->proc, -1);
		task_exit_group(SIGSEGV);
	}
	commit(t, a, &x, &ec, mm, sp);
	execs_add(t->proc, -1);
	if (unlikely(t->ptrace.tracer))
		ptrace_exec(old_tid);
out:
	if (err)
		execs_add(t->proc, -1);
	cred_put(ec.cred);
	elf_release(&x);
	exec_file_put(a->file);
	a->file = NULL;
	return err;
}
