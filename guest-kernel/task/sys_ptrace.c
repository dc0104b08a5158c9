/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptrace(2): the tracer's requests. Debug registers, PTRACE_PEEKSIGINFO, syscall user dispatch and reading seccomp
 * filters are not offered. Segment selectors of the one 64-bit user mode cannot be changed.
 */
#include <linux/ptrace.h>

#include "lib/string.h"
#include "lib/uio.h"
#include "mm/mm.h"
#include "signal/sigqueue.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/ptrace.h"
#include "task/task.h"
#include "task/user_ns.h"

#define PTRACE_O_ALL (0xffu | PTRACE_O_EXITKILL | PTRACE_O_SUSPEND_SECCOMP)
/* Register sets; linux/elf.h names them, but its EV_NONE is in the way. */
#define NT_PRSTATUS    1
#define NT_PRFPREG     2
#define NT_X86_XSTATE  0x202
#define TRAP_FLAG    0x100UL
#define USER_AREA    0x390 /* sizeof(struct user): registers, then what core dumps need */
#define DEBUG_REGS   0x350 /* offsetof(struct user, u_debugreg) */
#define REQ_GETREGS    12
#define REQ_SETREGS    13
#define REQ_GETFPREGS  14
#define REQ_SETFPREGS  15
#define REQ_ARCH_PRCTL 30
#define REQ_SYSEMU     31
#define REQ_SYSEMU_STEP 32
#define REQ_STEP       9
#define REQ_STEP_BLOCK 33

/* ---- becoming a tracer ---- */
/* tasklist_lock held. */
static void link_tracee(struct task *t, struct task *tracer, uint32_t options, bool seized, bool privileged)
{
	t->ptrace.tracer = tracer;
	t->ptrace.options = options;
	t->ptrace.seized = seized;
	t->ptrace.privileged = privileged;
	task_get(t);
	list_add_tail(&t->ptrace.link, &tracer->ptrace.tracees);
}

static int64_t trace_me(void)
{
	struct task *t = current, *tracer;
	int64_t r = -EPERM;

	spin_lock(&tasklist_lock);
	tracer = t->proc->parent ? task_lookup(t->proc->parent_tid) : NULL;
	if (!t->ptrace.tracer && tracer && !tracer->exited) {
		spin_lock(&tracer->lock);
		bool privileged = cred_ns_capable(tracer->cred, t->cred->user_ns, CAP_SYS_PTRACE);
		spin_unlock(&tracer->lock);
		link_tracee(t, tracer, 0, false, privileged);
		r = 0;
	}
	spin_unlock(&tasklist_lock);
	return r;
}

static int64_t attach(struct task *t, uint64_t options, bool seize)
{
	struct process *p = t->proc;
	siginfo_t si;

	if (t->is_kthread || p == current->proc)
		return -EPERM;
	spin_lock(&tasklist_lock);
	while (p->execs && !t->exited) {
		spin_unlock(&tasklist_lock);
		if (wait_event_interruptible(&p->exit_wait, !READ_ONCE(p->execs) || READ_ONCE(t->exited)))
			return -ERESTARTNOINTR;
		spin_lock(&tasklist_lock);
	}
	bool privileged = task_capable_over(t, CAP_SYS_PTRACE);
	if (t->ptrace.tracer || t->exited || t->sig.exiting || !ptrace_may_access(t)) {
		spin_unlock(&tasklist_lock);
		return -EPERM;
	}
	link_tracee(t, current, (uint32_t)options, seize, privileged);
	if (!seize) {
		siginfo_kernel(&si, SIGSTOP);
		(void)signal_send_task_locked(t, &si);
	}
	spin_lock(&p->sig.lock);
	/* What is stopped already stops once more, for us. */
	if (atomic_load(&t->sched.state) == TASK_STOPPED) {
		t->sig.stop_pending = true;
		atomic_store(&t->sig.flag_pending, 1u);
		task_wake_state(t, 1u << TASK_STOPPED);
	}
	spin_unlock(&p->sig.lock);
	spin_unlock(&tasklist_lock);
	return 0;
}

static bool options_valid(uint64_t options)
{
	return !(options & ~(uint64_t)PTRACE_O_ALL) && !(options & PTRACE_O_SUSPEND_SECCOMP);
}

/* ---- resuming ---- */
static void set_step(struct task *t, bool on)
{
	uint64_t *flags = &t->uc.regs.rflags;

	if (on && !(*flags & TRAP_FLAG)) {
		*flags |= TRAP_FLAG;
		t->ptrace.step_flag = true;
	} else if (!on && t->ptrace.step_flag) {
		*flags &= ~TRAP_FLAG;
		t->ptrace.step_flag = false;
	}
	t->ptrace.step = on;
}

static int64_t resume(struct task *t, uint8_t mode, bool step, uint64_t signo)
{
	int64_t r = -ESRCH;

	if (signo > NSIG_)
		return -EIO;
	spin_lock(&tasklist_lock);
	if (t->ptrace.tracer == current && t->ptrace.stopped) {
		set_step(t, step);
		t->ptrace.mode = mode;
		t->ptrace.inject = (int)signo;
		t->ptrace.report = 0;
		t->ptrace.stopped = t->ptrace.listening = false;
		task_wake_state(t, 1u << TASK_TRACED);
		r = 0;
	}
	spin_unlock(&tasklist_lock);
	return r;
}

static int64_t detach(struct task *t, uint64_t signo)
{
	struct task *held = NULL;
	struct process *p = t->proc;

	if (signo > NSIG_)
		return -EIO;
	spin_lock(&tasklist_lock);
	if (t->ptrace.tracer == current && t->ptrace.stopped) {
		held = ptrace_unlink(t);
		t->ptrace.inject = (int)signo;
		t->ptrace.report = 0;
		t->ptrace.stopped = t->ptrace.listening = false;
		spin_lock(&p->sig.lock);
		if (p->sig.group_stop)
			t->sig.stop_pending = true; /* stays stopped; nobody is told again */
		spin_unlock(&p->sig.lock);
		task_wake_state(t, 1u << TASK_TRACED);
	}
	spin_unlock(&tasklist_lock);
	if (!held)
		return -ESRCH;
	task_put(held);
	return 0;
}

static int64_t interrupt(struct task *t)
{
	int64_t r = -EIO;

	spin_lock(&tasklist_lock);
	if (t->ptrace.seized) {
		spin_lock(&t->proc->sig.lock);
		if (!t->ptrace.stopped || t->ptrace.listening) {
			t->ptrace.interrupt = true;
			signal_wake(t, false);
			if (t->ptrace.listening)
				task_wake_state(t, 1u << TASK_TRACED);
		} else {
			t->ptrace.interrupt = true;
		}
		spin_unlock(&t->proc->sig.lock);
		r = 0;
	}
	spin_unlock(&tasklist_lock);
	return r;
}

static int64_t listen(struct task *t)
{
	int64_t r = -EIO;

	spin_lock(&tasklist_lock);
	if (t->ptrace.seized && t->ptrace.stopped && t->ptrace.has_info &&
	    (t->ptrace.info.si_code >> 8) == PTRACE_EVENT_STOP) {
		spin_lock(&t->proc->sig.lock);
		t->ptrace.listening = true;
		/* Told between the stop and now: stop again for it. */
		if (t->ptrace.notify)
			task_wake_state(t, 1u << TASK_TRACED);
		spin_unlock(&t->proc->sig.lock);
		r = 0;
	}
	spin_unlock(&tasklist_lock);
	return r;
}

/* ---- memory ---- */
static struct mm *tracee_mm(struct task *t)
{
	spin_lock(&t->lock);
	struct mm *mm = t->mm;
	if (mm)
		mm_get(mm);
	spin_unlock(&t->lock);
	return mm;
}

static int64_t peek(struct task *t, uint64_t addr, uva_t to)
{
	struct mm *mm = tracee_mm(t);
	uint64_t word;

	if (!mm)
		return -EIO;
	bool ok = mm_copy_in(mm, &word, addr, sizeof(word), true) == sizeof(word);
	mm_put(mm);
	return ok ? copy_out_struct(to, &word) : -EIO;
}

static int64_t poke(struct task *t, uint64_t addr, uint64_t word)
{
	struct mm *mm = tracee_mm(t);

	if (!mm)
		return -EIO;
	bool ok = mm_copy_out(mm, addr, &word, sizeof(word), true) == sizeof(word);
	mm_put(mm);
	return ok ? 0 : -EIO;
}

/* ---- general registers ---- */
static void get_regs(struct task *t, struct user_regs *r)
{
	*r = t->uc.regs;
	if (t->ptrace.step_flag)
		r->rflags &= ~TRAP_FLAG;
}

static int64_t set_regs(struct task *t, const struct user_regs *r)
{
	struct user_regs *to = &t->uc.regs, old = *to;

	if (r->fs_base >= USER_MAX || r->gs_base >= USER_MAX)
		return -EIO;
	if ((r->cs & 3) != 3 || (r->ss & 3) != 3 || (r->ds && (r->ds & 3) != 3) || (r->es && (r->es & 3) != 3) ||
	    (r->fs && (r->fs & 3) != 3) || (r->gs && (r->gs & 3) != 3))
		return -EIO;
	*to = *r;
	to->cs = old.cs;
	to->ss = old.ss;
	to->ds = old.ds;
	to->es = old.es;
	to->fs = old.fs;
	to->gs = old.gs;
	to->rflags = (old.rflags & ~(uint64_t)X86_EFLAGS_USER) | (r->rflags & X86_EFLAGS_USER) | 0x202;
	if (r->rflags & TRAP_FLAG)
		t->ptrace.step_flag = false; /* the program's own now */
	else if (t->ptrace.step_flag)
		to->rflags |= TRAP_FLAG;
	return 0;
}

static int64_t peek_user(struct task *t, uint64_t off, uva_t to)
{
	struct user_regs r;
	uint64_t word = 0;

	if ((off & 7) || off >= USER_AREA)
		return -EIO;
	if (off < sizeof(r)) {
		get_regs(t, &r);
		memcpy(&word, (const char *)&r + off, sizeof(word));
	}
	return copy_out_struct(to, &word);
}

static int64_t poke_user(struct task *t, uint64_t off, uint64_t word)
{
	struct user_regs r;

	if ((off & 7) || off >= USER_AREA)
		return -EIO;
	if (off < sizeof(r)) {
		get_regs(t, &r);
		memcpy((char *)&r + off, &word, sizeof(word));
		return set_regs(t, &r);
	}
	return off >= DEBUG_REGS && !word ? 0 : -EIO;
}

/* ---- FPU: the XSAVE image, with the features at the place where debuggers look for them ---- */
static uint8_t *fpu_image(struct task *t)
{
	uint8_t *buf = kmalloc(t->uc.fpu_size);
	uint64_t features = fpstate_features();

	if (!buf)
		return NULL;
	memcpy(buf, (const void *)t->uc.fpu, t->uc.fpu_size);
	memset(buf + FPX_SW_OFFSET, 0, sizeof(struct fpx_sw_bytes));
	if (t->uc.fpu_size > 512)
		memcpy(buf + FPX_SW_OFFSET, &features, sizeof(features));
	return buf;
}

static int64_t get_fpu(struct task *t, uva_t to, size_t n)
{
	uint8_t *buf = fpu_image(t);

	if (!buf)
		return -ENOMEM;
	int64_t r = copy_out(to, buf, n);
	kfree(buf);
	return r;
}

static int64_t set_fpu(struct task *t, uva_t from, size_t n)
{
	uint8_t *buf = fpu_image(t);

	if (!buf)
		return -ENOMEM;
	int64_t r = copy_in(buf, from, n);
	if (!r)
		r = fpstate_load(t, buf, t->uc.fpu_size > 512);
	kfree(buf);
	return r;
}

/* PTRACE_GETREGSET, PTRACE_SETREGSET: the iovec's length is cut to what there is. */
static int64_t regset(struct task *t, uint64_t type, uva_t at, bool set)
{
	struct uiovec v;
	struct user_regs r;
	int64_t err;

	if (copy_in_struct(&v, at))
		return -EFAULT;
	size_t size = type == NT_PRSTATUS ? sizeof(r) : type == NT_PRFPREG ? 512 : type == NT_X86_XSTATE ? t->uc.fpu_size : 0;
	if (!size || (v.len & 7))
		return -EINVAL;
	v.len = MIN(v.len, size);
	if (type == NT_X86_XSTATE && set && v.len != size)
		return -EFAULT;
	if (type == NT_PRSTATUS) {
		get_regs(t, &r);
		err = set ? copy_in(&r, v.base, v.len) : copy_out(v.base, &r, v.len);
		if (!err && set)
			err = set_regs(t, &r);
	} else {
		err = set ? set_fpu(t, v.base, v.len) : get_fpu(t, v.base, v.len);
	}
	return err ? err : copy_out_struct(at, &v);
}

/* ---- signals ---- */
static int64_t get_siginfo(struct task *t, uva_t to)
{
	spin_lock(&tasklist_lock);
	bool has = t->ptrace.stopped && t->ptrace.has_info;
	siginfo_t si = t->ptrace.info;
	spin_unlock(&tasklist_lock);
	return has ? copy_out_struct(to, &si) : -EINVAL;
}

static int64_t set_siginfo(struct task *t, uva_t from)
{
	siginfo_t si;

	if (copy_in_struct(&si, from))
		return -EFAULT;
	spin_lock(&tasklist_lock);
	bool has = t->ptrace.stopped && t->ptrace.has_info;
	if (has)
		t->ptrace.info = si;
	spin_unlock(&tasklist_lock);
	return has ? 0 : -EINVAL;
}

static int64_t sigmask(struct task *t, uint64_t size, uva_t at, bool set)
{
	ksigset_t mask;

	if (size != sizeof(mask))
		return -EINVAL;
	if (set && copy_in_struct(&mask, at))
		return -EFAULT;
	spin_lock(&t->proc->sig.lock);
	if (set) {
		t->sig.blocked = mask & ~SIG_KERNEL_ONLY;
		t->sig.restore_mask = false;
	} else {
		mask = t->sig.restore_mask ? t->sig.saved_mask : t->sig.blocked;
	}
	signal_recompute(t);
	spin_unlock(&t->proc->sig.lock);
	return set ? 0 : copy_out_struct(at, &mask);
}

static int64_t syscall_info(struct task *t, uint64_t size, uva_t to)
{
	struct ptrace_syscall_info info = {.arch = 0xc000003e /* AUDIT_ARCH_X86_64 */,
	                                   .instruction_pointer = t->uc.regs.rip, .stack_pointer = t->uc.regs.rsp};
	const struct user_regs *r = &t->uc.regs;
	const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
	int code = t->ptrace.has_info ? t->ptrace.info.si_code : 0;
	size_t actual = offsetof(struct ptrace_syscall_info, entry);

	if (code == (SIGTRAP | 0x80) && t->ptrace.message == PTRACE_EVENTMSG_SYSCALL_ENTRY) {
		info.op = PTRACE_SYSCALL_INFO_ENTRY;
		info.entry.nr = r->orig_rax;
		memcpy(info.entry.args, args, sizeof(args));
		actual = offsetof(struct ptrace_syscall_info, entry.args) + sizeof(info.entry.args);
	} else if (code == (SIGTRAP | 0x80)) {
		info.op = PTRACE_SYSCALL_INFO_EXIT;
		info.exit.rval = (int64_t)r->rax;
		info.exit.is_error = r->rax > (uint64_t)-4096L;
		actual = offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
	} else if (code == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
		info.op = PTRACE_SYSCALL_INFO_SECCOMP;
		info.seccomp.nr = r->orig_rax;
		memcpy(info.seccomp.args, args, sizeof(args));
		info.seccomp.ret_data = (uint32_t)t->ptrace.message;
		actual = offsetof(struct ptrace_syscall_info, seccomp.ret_data) + sizeof(info.seccomp.ret_data);
	}
	return copy_out(to, &info, MIN(size, (uint64_t)actual)) ? -EFAULT : (int64_t)actual;
}

static int64_t set_options(struct task *t, uint64_t options)
{
	if (!options_valid(options))
		return options & ~(uint64_t)PTRACE_O_ALL ? -EINVAL : -EPERM;
	t->ptrace.options = (uint32_t)options;
	return 0;
}

static int64_t arch_prctl_of(struct task *t, uint64_t addr, uint64_t code)
{
	struct user_regs *r = &t->uc.regs;

	switch (code) {
	case 0x1001: /* ARCH_SET_GS */
	case 0x1002: /* ARCH_SET_FS */
		if (addr >= USER_MAX)
			return -EPERM;
		*(code == 0x1001 ? &r->gs_base : &r->fs_base) = addr;
		return 0;
	case 0x1003: /* ARCH_GET_FS */
		return copy_out_struct(uva(addr), &r->fs_base);
	case 0x1004: /* ARCH_GET_GS */
		return copy_out_struct(uva(addr), &r->gs_base);
	default:
		return -EINVAL;
	}
}

/* ---- requests on a stopped tracee ---- */
static int64_t on_stopped(struct task *t, uint64_t request, uint64_t addr, uint64_t data)
{
	struct user_regs r;

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek(t, addr, uva(data));
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return poke(t, addr, data);
	case PTRACE_PEEKUSR:
		return peek_user(t, addr, uva(data));
	case PTRACE_POKEUSR:
		return poke_user(t, addr, data);
	case PTRACE_CONT:
		return resume(t, PTRACE_RUN, false, data);
	case PTRACE_SYSCALL:
		return resume(t, PTRACE_RUN_SYSCALL, false, data);
	case REQ_STEP:
		return resume(t, PTRACE_RUN, true, data);
	case REQ_SYSEMU:
		return resume(t, PTRACE_RUN_SYSEMU, false, data);
	case REQ_SYSEMU_STEP:
		return resume(t, PTRACE_RUN_SYSEMU, true, data);
	case PTRACE_DETACH:
		return detach(t, data);
	case REQ_GETREGS:
		get_regs(t, &r);
		return copy_out_struct(uva(data), &r);
	case REQ_SETREGS:
		return copy_in_struct(&r, uva(data)) ? -EFAULT : set_regs(t, &r);
	case REQ_GETFPREGS:
		return get_fpu(t, uva(data), 512);
	case REQ_SETFPREGS:
		return set_fpu(t, uva(data), 512);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return regset(t, addr, uva(data), request == PTRACE_SETREGSET);
	case PTRACE_SETOPTIONS:
		return set_options(t, data);
	case PTRACE_GETEVENTMSG:
		return copy_out_struct(uva(data), &t->ptrace.message);
	case PTRACE_GETSIGINFO:
		return get_siginfo(t, uva(data));
	case PTRACE_SETSIGINFO:
		return set_siginfo(t, uva(data));
	case PTRACE_GETSIGMASK:
	case PTRACE_SETSIGMASK:
		return sigmask(t, addr, uva(data), request == PTRACE_SETSIGMASK);
	case PTRACE_GET_SYSCALL_INFO:
		return syscall_info(t, addr, uva(data));
	case PTRACE_LISTEN:
		return listen(t);
	case REQ_ARCH_PRCTL:
		return arch_prctl_of(t, addr, data);
	default:
		return -EIO;
	}
}

/* Is t ours, and stopped? */
static bool is_ours(struct task *t, bool any_state)
{
	spin_lock(&tasklist_lock);
	bool ours = t->ptrace.tracer == current && (any_state || (t->ptrace.stopped && !t->ptrace.listening));
	spin_unlock(&tasklist_lock);
	return ours;
}

static int64_t request_on(struct task *t, uint64_t request, uint64_t addr, uint64_t data)
{
	if (request == PTRACE_ATTACH)
		return attach(t, 0, false);
	if (request == PTRACE_SEIZE)
		return addr || !options_valid(data) ? -EIO : attach(t, data, true);
	if (!is_ours(t, request == PTRACE_KILL || request == PTRACE_INTERRUPT))
		return -ESRCH;
	if (request == PTRACE_KILL) {
		siginfo_t si;
		siginfo_user(&si, SIGKILL, SI_USER);
		(void)signal_send_process(t->proc, &si);
		return 0;
	}
	if (request == PTRACE_INTERRUPT)
		return interrupt(t);
	return on_stopped(t, request, addr, data);
}

int64_t sys_ptrace(const struct sysargs *a)
{
	uint64_t request = arg_u64(a, 0);

	if (request == PTRACE_TRACEME)
		return trace_me();
	struct task *t = task_find_user(arg_int(a, 1));
	if (!t)
		return -ESRCH;
	int64_t r = request_on(t, request, arg_u64(a, 2), arg_u64(a, 3));
	task_put(t);
	return r;
}
