// SPDX-License-Identifier: Apache-2.0
/*
 * ptrace(2), the tracer's side. Not here: PTRACE_SYSEMU, hardware breakpoints (the debug registers read as zero and take
 * nothing else), seccomp stops, PTRACE_PEEKSIGINFO.
 */
#include <linux/ptrace.h>
#include <linux/uio.h>

#include "fs/proc/proc.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/sigqueue.h"
#include "syscall/syscall.h"
#include "task/ptrace.h"
#include "task/task.h"

#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
                 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL)
/* linux/elf.h and linux/audit.h, whose EV_NONE is a macro. */
#define NT_PRSTATUS        1
#define NT_PRFPREG         2
#define NT_X86_XSTATE      0x202
#define AUDIT_ARCH_X86_64  0xc000003eu

#define REGS_SIZE sizeof(struct user_regs)
#define USER_DEBUGREG 848u /* offsetof(struct user, u_debugreg) */
#define USER_SIZE     912u
#define FXSAVE_SIZE   512u

/* ---- links ---- */
static bool in_stop(struct task *t)
{
	return atomic_load(&t->sched.state) == TASK_TRACED && t->ptrace.stop_code && !t->ptrace.listening;
}

static int may_attach(struct task *t, bool me)
{
	if (t->is_kthread || t->ptrace.tracer || t->exited || t->sig.exiting)
		return -EPERM;
	return me || (t->proc != current->proc && !proc_may_access(t)) ? 0 : -EPERM;
}

/* tasklist_lock held. */
static void link_to(struct task *t, struct task *tracer, uint32_t options, bool seized)
{
	t->ptrace.tracer = tracer;
	t->ptrace.options = options;
	t->ptrace.seized = seized;
	list_add_tail(&t->ptrace.link, &tracer->ptrace.tracees);
}

static int64_t trace_me(void)
{
	struct task *me = current, *tracer;
	struct process *parent;
	int r;

	spin_lock(&tasklist_lock);
	parent = me->proc->parent;
	r = parent ? may_attach(me, true) : -EPERM;
	if (!r) {
		tracer = task_lookup(me->proc->parent_tid);
		if (!tracer || tracer->proc != parent || tracer->exited)
			tracer = parent->leader;
		if (tracer && !tracer->exited)
			link_to(me, tracer, 0, false);
		else
			r = -EPERM;
	}
	spin_unlock(&tasklist_lock);
	return r;
}

static int64_t attach(struct task *t, bool seize, uint64_t addr, uint64_t options)
{
	struct process *p = t->proc;
	siginfo_t si;

	if (seize && (addr || options & ~(uint64_t)OPTIONS))
		return -EIO;
	int r = may_attach(t, false);
	if (r)
		return r;
	spin_lock(&tasklist_lock);
	if (t->ptrace.tracer || t->exited) {
		spin_unlock(&tasklist_lock);
		return -EPERM;
	}
	link_to(t, current, seize ? (uint32_t)options : 0, seize);
	if (!seize) {
		siginfo_user(&si, SIGSTOP, SI_USER);
		(void)signal_send_task_locked(t, &si);
	}
	/* What is stopped already stops once more, for the tracer. */
	spin_lock(&p->sig.lock);
	if (atomic_load(&t->sched.state) == TASK_STOPPED) {
		t->ptrace.trap = PTRACE_TRAP_GROUP;
		atomic_store(&t->sig.flag_pending, 1u);
		task_wake_state(t, 1u << TASK_STOPPED);
	}
	spin_unlock(&p->sig.lock);
	spin_unlock(&tasklist_lock);
	return 0;
}

#define EFLAGS_TF 0x100UL

/* Lets a stopped tracee go; tasklist_lock held. */
static void go_on(struct task *t, int signo, bool syscalls, bool step)
{
	t->ptrace.data = signo;
	t->ptrace.syscalls = syscalls;
	t->ptrace.step = step;
	if (step)
		t->uc.regs.rflags |= EFLAGS_TF;
	t->ptrace.code = 0;
	task_wake_state(t, 1u << TASK_TRACED);
}

static int64_t resume(struct task *t, long request, uint64_t signo)
{
	struct process *p = t->proc;

	if (signo > NSIG_)
		return -EIO;
	spin_lock(&tasklist_lock);
	if (request == PTRACE_DETACH) {
		ptrace_unlink(t);
		spin_lock(&p->sig.lock);
		t->ptrace.trap = PTRACE_TRAP_NONE;
		/* The rest of the process is stopped: so is this thread again. */
		if (p->sig.group_stop && !signo) {
			t->sig.stop_pending = true;
			p->sig.group_stop_left++;
			atomic_store(&t->sig.flag_pending, 1u);
		}
		spin_unlock(&p->sig.lock);
	}
	go_on(t, (int)signo, request == PTRACE_SYSCALL, request == PTRACE_SINGLESTEP);
	spin_unlock(&tasklist_lock);
	return 0;
}

static int64_t interrupt(struct task *t)
{
	if (!t->ptrace.seized)
		return -EIO;
	spin_lock(&tasklist_lock);
	spin_lock(&t->proc->sig.lock);
	t->ptrace.trap = PTRACE_TRAP_STOP;
	if (t->ptrace.listening) {
		t->ptrace.listening = false;
		task_wake_state(t, 1u << TASK_TRACED);
	}
	signal_wake(t, false);
	spin_unlock(&t->proc->sig.lock);
	spin_unlock(&tasklist_lock);
	return 0;
}

static int64_t listen(struct task *t)
{
	int64_t r = -EIO;

	spin_lock(&tasklist_lock);
	if (t->ptrace.seized && t->ptrace.stop_code >> 8 == PTRACE_EVENT_STOP) {
		/* What came up in the meantime is told at once. */
		t->ptrace.listening = !t->ptrace.trap;
		if (t->ptrace.trap)
			task_wake_state(t, 1u << TASK_TRACED);
		r = 0;
	}
	spin_unlock(&tasklist_lock);
	return r;
}

/* ---- memory and registers of a stopped tracee ---- */
static int64_t peek_poke(struct task *t, uint64_t addr, uint64_t *word, bool write)
{
	struct mm *mm = proc_task_mm(t);

	if (!mm)
		return -EIO;
	ssize_t_ n = write ? mm_copy_out(mm, addr, word, sizeof(*word), true) : mm_copy_in(mm, word, addr, sizeof(*word), true);
	mm_put(mm);
	return n == sizeof(*word) ? 0 : -EIO;
}

/* Registers as the application may have them: ring 3's segments, flags that it can change itself. */
static int set_regs(struct task *t, const struct user_regs *n)
{
	struct user_regs *r = &t->uc.regs;

	if ((n->cs | 3) != USER_CS_ || (n->ss | 3) != USER_SS_ || n->rip >= USER_MAX || n->fs_base >= USER_MAX ||
	    n->gs_base >= USER_MAX)
		return -EIO;
	uint64_t flags = (r->rflags & ~(uint64_t)X86_EFLAGS_USER) | (n->rflags & X86_EFLAGS_USER) | 0x202;
	*r = *n;
	r->cs = USER_CS_;
	r->ss = USER_SS_;
	r->ds = r->es = r->fs = r->gs = 0;
	r->rflags = flags;
	/* What a tracer that knows 32 bits only calls -1. */
	if ((uint32_t)r->orig_rax == UINT32_MAX)
		r->orig_rax = UINT64_MAX;
	return 0;
}

static int64_t peek_user(struct task *t, uint64_t off, uva_t out)
{
	uint64_t v = 0;

	if (off % 8 || off > USER_SIZE - 8)
		return -EIO;
	if (off < REGS_SIZE)
		memcpy(&v, (const char *)&t->uc.regs + off, sizeof(v));
	return copy_out_struct(out, &v);
}

static int64_t poke_user(struct task *t, uint64_t off, uint64_t v)
{
	struct user_regs r = t->uc.regs;

	if (off % 8 || off > USER_SIZE - 8)
		return -EIO;
	if (off >= REGS_SIZE)
		return off >= USER_DEBUGREG && !v ? 0 : -EIO;
	memcpy((char *)&r + off, &v, sizeof(v));
	return set_regs(t, &r);
}

/* What note holds, and how many bytes; 0: unknown. */
static size_t regset(struct task *t, uint64_t note, void **data)
{
	switch (note) {
	case NT_PRSTATUS:
		*data = &t->uc.regs;
		return REGS_SIZE;
	case NT_PRFPREG:
		*data = (void *)t->uc.fpu;
		return FXSAVE_SIZE;
	case NT_X86_XSTATE:
		*data = (void *)t->uc.fpu;
		return t->uc.fpu_size > FXSAVE_SIZE ? t->uc.fpu_size : 0;
	default:
		return 0;
	}
}

static int64_t get_regset(struct task *t, uint64_t note, uva_t at, size_t *len)
{
	void *data;
	size_t size = regset(t, note, &data);
	uint64_t features = fpstate_features();

	if (!size)
		return -EINVAL;
	*len = MIN(*len, size);
	if (copy_out(at, data, *len))
		return -EFAULT;
	/* Debuggers look in the software bytes for which components there are. */
	if (note == NT_X86_XSTATE && *len >= FPX_SW_OFFSET + 8 && copy_out_struct(uva_add(at, FPX_SW_OFFSET), &features))
		return -EFAULT;
	return 0;
}

static int64_t set_regset(struct task *t, uint64_t note, uva_t at, size_t *len)
{
	struct user_regs regs = t->uc.regs;
	void *data;
	size_t size = regset(t, note, &data);

	if (!size)
		return -EINVAL;
	*len = MIN(*len, size);
	if (note == NT_PRSTATUS)
		return copy_in(&regs, at, *len) ? -EFAULT : set_regs(t, &regs);
	if (note == NT_X86_XSTATE && *len != size)
		return -EINVAL;
	uint8_t *buf = kmalloc(t->uc.fpu_size);
	if (!buf)
		return -ENOMEM;
	memcpy(buf, (void *)t->uc.fpu, t->uc.fpu_size);
	int64_t r = copy_in(buf, at, *len) ? -EFAULT : fpstate_replace(t, buf);
	kfree(buf);
	return r;
}

static int64_t move_regset(struct task *t, bool set, uint64_t note, uva_t iov_at)
{
	struct iovec v;

	if (copy_in_struct(&v, iov_at))
		return -EFAULT;
	size_t len = v.iov_len;
	uva_t at = uva((uint64_t)v.iov_base);
	int64_t r = set ? set_regset(t, note, at, &len) : get_regset(t, note, at, &len);
	v.iov_len = len;
	return r ? r : copy_out_struct(iov_at, &v);
}

/* ---- what the stop is about ---- */
static int64_t move_siginfo(struct task *t, bool set, uva_t at)
{
	siginfo_t si;

	if (set && copy_in_struct(&si, at))
		return -EFAULT;
	spin_lock(&tasklist_lock);
	bool have = t->ptrace.info;
	if (have && set)
		*t->ptrace.info = si;
	else if (have)
		si = *t->ptrace.info;
	spin_unlock(&tasklist_lock);
	if (!have)
		return -EINVAL;
	return set ? 0 : copy_out_struct(at, &si);
}

static int64_t move_sigmask(struct task *t, bool set, uint64_t size, uva_t at)
{
	ksigset_t mask = t->sig.restore_mask ? t->sig.saved_mask : t->sig.blocked;

	if (size != sizeof(mask))
		return -EINVAL;
	if (!set)
		return copy_out_struct(at, &mask);
	if (copy_in_struct(&mask, at))
		return -EFAULT;
	spin_lock(&t->proc->sig.lock);
	t->sig.blocked = mask & ~SIG_KERNEL_ONLY;
	t->sig.restore_mask = false;
	signal_recompute(t);
	spin_unlock(&t->proc->sig.lock);
	return 0;
}

static int64_t syscall_info(struct task *t, uint64_t size, uva_t at)
{
	const struct user_regs *r = &t->uc.regs;
	struct ptrace_syscall_info i;
	size_t len = offsetof(struct ptrace_syscall_info, entry);

	memset(&i, 0, sizeof(i));
	i.arch = AUDIT_ARCH_X86_64;
	i.instruction_pointer = r->rip;
	i.stack_pointer = r->rsp;
	if ((t->ptrace.stop_code & ~0x80) == SIGTRAP && t->ptrace.info && t->ptrace.info->si_code == t->ptrace.stop_code) {
		if (t->ptrace.entry) {
			const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};

			i.op = PTRACE_SYSCALL_INFO_ENTRY;
			i.entry.nr = r->orig_rax;
			memcpy(i.entry.args, args, sizeof(args));
			len = offsetof(struct ptrace_syscall_info, entry.args) + sizeof(args);
		} else {
			i.op = PTRACE_SYSCALL_INFO_EXIT;
			i.exit.rval = (int64_t)r->rax;
			i.exit.is_error = r->rax >= (uint64_t)-4095;
			len = offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
		}
	}
	if (copy_out(at, &i, MIN(size, len)))
		return -EFAULT;
	return (int64_t)len;
}

static int64_t set_options(struct task *t, uint64_t options)
{
	if (options & ~(uint64_t)OPTIONS)
		return -EINVAL;
	spin_lock(&tasklist_lock);
	t->ptrace.options = (uint32_t)options;
	spin_unlock(&tasklist_lock);
	return 0;
}

/* ---- requests ---- */
static int64_t stopped_request(struct task *t, long request, uint64_t addr, uint64_t data)
{
	size_t len;

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA: {
		uint64_t word;
		int64_t r = peek_poke(t, addr, &word, false);
		return r ? r : copy_out_struct(uva(data), &word);
	}
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return peek_poke(t, addr, &data, true);
	case PTRACE_PEEKUSR:
		return peek_user(t, addr, uva(data));
	case PTRACE_POKEUSR:
		return poke_user(t, addr, data);
	case PTRACE_GETREGS:
	case PTRACE_SETREGS:
		len = REGS_SIZE;
		return request == PTRACE_GETREGS ? get_regset(t, NT_PRSTATUS, uva(data), &len) :
		                                   set_regset(t, NT_PRSTATUS, uva(data), &len);
	case PTRACE_GETFPREGS:
	case PTRACE_SETFPREGS:
		len = FXSAVE_SIZE;
		return request == PTRACE_GETFPREGS ? get_regset(t, NT_PRFPREG, uva(data), &len) :
		                                     set_regset(t, NT_PRFPREG, uva(data), &len);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return move_regset(t, request == PTRACE_SETREGSET, addr, uva(data));
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
	case PTRACE_DETACH:
		return resume(t, request, data);
	case PTRACE_LISTEN:
		return listen(t);
	case PTRACE_SETOPTIONS:
	case PTRACE_OLDSETOPTIONS:
		return set_options(t, data);
	case PTRACE_GETEVENTMSG:
		return copy_out_struct(uva(data), &t->ptrace.message);
	case PTRACE_GETSIGINFO:
	case PTRACE_SETSIGINFO:
		return move_siginfo(t, request == PTRACE_SETSIGINFO, uva(data));
	case PTRACE_GETSIGMASK:
	case PTRACE_SETSIGMASK:
		return move_sigmask(t, request == PTRACE_SETSIGMASK, addr, uva(data));
	case PTRACE_GET_SYSCALL_INFO:
		return syscall_info(t, addr, uva(data));
	default:
		return -EIO;
	}
}

static int64_t request_of(struct task *t, long request, uint64_t addr, uint64_t data)
{
	siginfo_t si;

	if (request == PTRACE_ATTACH || request == PTRACE_SEIZE)
		return attach(t, request == PTRACE_SEIZE, addr, data);
	spin_lock(&tasklist_lock);
	bool mine = t->ptrace.tracer == current, stopped = mine && in_stop(t);
	spin_unlock(&tasklist_lock);
	if (!mine)
		return -ESRCH;
	if (request == PTRACE_KILL) {
		siginfo_kernel(&si, SIGKILL);
		return signal_send_task(t, &si);
	}
	if (request == PTRACE_INTERRUPT)
		return interrupt(t);
	return stopped ? stopped_request(t, request, addr, data) : -ESRCH;
}

int64_t sys_ptrace(const struct sysargs *a)
{
	long request = (long)arg_u64(a, 0);

	if (request == PTRACE_TRACEME)
		return trace_me();
	struct task *t = task_find(arg_int(a, 1));
	if (!t)
		return -ESRCH;
	int64_t r = request_of(t, request, arg_u64(a, 2), arg_u64(a, 3));
	task_put(t);
	return r;
}
