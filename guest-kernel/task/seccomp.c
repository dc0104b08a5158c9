/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp(2): strict mode and filters in classic BPF, checked and run as Linux's kernel/seccomp.c does.
 *
 * Filters form a tree: a filter keeps a reference on the one installed before it, a task on its newest. A filter never
 * changes. SECCOMP_FILTER_FLAG_TSYNC replaces the filter of other threads, whose old one is an ancestor of the new one
 * and so stays alive: a task may read its own pointer without a lock. User notification (NEW_LISTENER) does
 * not exist here; its action answers ENOSYS, as Linux does without a listener.
 *
 * Calls that are allowed whatever their arguments are, which is most of them in most filters, are found once and then
 * looked up in a bitmap.
 */
#include "task/seccomp.h"

#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "lib/log.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/sigqueue.h"

#define PATH_INSNS_MAX 32768u /* of all filters of a task; each costs four more */
#define FILTER_PENALTY 4u
#define CACHED_CALLS   512u

struct seccomp_filter {
	ref_t refs;
	struct seccomp_filter *prev;
	uint32_t len, path_len;
	bool log;
	uint64_t allows[CACHED_CALLS / 64]; /* bit n: this filter and all before it allow call n, whatever its arguments */
	struct sock_filter insn[];
};

/* ---- checking ---- */
static bool load_is_valid(const struct sock_filter *f)
{
	return f->k < sizeof(struct seccomp_data) && (f->k & 3) == 0;
}

static bool op_is_valid(const struct sock_filter *f)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return load_is_valid(f);
	case BPF_ALU | BPF_DIV | BPF_K:
		return f->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return f->k < 32;
	case BPF_ST:
	case BPF_STX:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
		return f->k < BPF_MEMWORDS;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_ALU | BPF_ADD | BPF_K:
	case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_K:
	case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K:
	case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K:
	case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_K:
	case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X:
	case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_JMP | BPF_JA:
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return true;
	default:
		return false;
	}
}

static bool jump_is_valid(const struct sock_filter *f, uint32_t pc, uint32_t len)
{
	if (BPF_CLASS(f->code) != BPF_JMP)
		return true;
	if (f->code == (BPF_JMP | BPF_JA))
		return f->k < len - pc - 1;
	return pc + f->jt + 1 < len && pc + f->jf + 1 < len;
}

/* No word of M[] is read before it was written, on any path. masks: len zeroed words for what is written on all paths. */
static bool memory_is_valid(const struct sock_filter *f, uint32_t len, uint16_t *masks)
{
	uint16_t valid = 0;

	memset(masks, 0xff, len * sizeof(*masks));
	for (uint32_t pc = 0; pc < len; pc++, f++) {
		valid &= masks[pc];
		switch (f->code) {
		case BPF_ST:
		case BPF_STX:
			valid |= (uint16_t)(1u << f->k);
			break;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM:
			if (!(valid >> f->k & 1))
				return false;
			break;
		case BPF_JMP | BPF_JA:
			masks[pc + 1 + f->k] &= valid;
			valid = 0xffff;
			break;
		default:
			if (BPF_CLASS(f->code) == BPF_JMP) {
				masks[pc + 1 + f->jt] &= valid;
				masks[pc + 1 + f->jf] &= valid;
				valid = 0xffff;
			}
			break;
		}
	}
	return true;
}

static int check_program(const struct sock_filter *f, uint32_t len)
{
	for (uint32_t pc = 0; pc < len; pc++)
		if (!op_is_valid(&f[pc]) || !jump_is_valid(&f[pc], pc, len))
			return -EINVAL;
	if (BPF_CLASS(f[len - 1].code) != BPF_RET)
		return -EINVAL;
	uint16_t *masks = kmalloc(len * sizeof(*masks));
	if (!masks)
		return -ENOMEM;
	bool ok = memory_is_valid(f, len, masks);
	kfree(masks);
	return ok ? 0 : -EINVAL;
}

/* ---- running ---- */
static uint32_t alu(uint16_t code, uint32_t a, uint32_t b, bool *fail)
{
	switch (BPF_OP(code)) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_XOR: return a ^ b;
	case BPF_LSH: return a << (b & 31);
	case BPF_RSH: return a >> (b & 31);
	case BPF_NEG: return 0 - a;
	default: /* BPF_DIV */
		*fail = b == 0;
		return b ? a / b : 0;
	}
}

static bool jump_taken(uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ: return a == b;
	case BPF_JGE: return a >= b;
	case BPF_JGT: return a > b;
	default: return a & b; /* BPF_JSET */
	}
}

static uint32_t run_filter(const struct seccomp_filter *flt, const struct seccomp_data *d)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = {0};
	bool fail = false;

	for (uint32_t pc = 0; pc < flt->len; pc++) {
		const struct sock_filter *f = &flt->insn[pc];
		uint32_t operand = BPF_SRC(f->code) == BPF_X ? x : f->k;
		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
		case BPF_LDX: {
			uint32_t v = f->k;
			if (BPF_MODE(f->code) == BPF_ABS)
				memcpy(&v, (const uint8_t *)d + f->k, 4);
			else if (BPF_MODE(f->code) == BPF_LEN)
				v = sizeof(*d);
			else if (BPF_MODE(f->code) == BPF_MEM)
				v = mem[f->k];
			*(BPF_CLASS(f->code) == BPF_LD ? &a : &x) = v;
			break;
		}
		case BPF_ST: mem[f->k] = a; break;
		case BPF_STX: mem[f->k] = x; break;
		case BPF_ALU:
			a = alu(f->code, a, operand, &fail);
			if (fail)
				return SECCOMP_RET_KILL_THREAD; /* a division by zero ends a program with 0 */
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				pc += f->k;
			else
				pc += jump_taken(f->code, a, operand) ? f->jt : f->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? a : f->k;
		default: /* BPF_MISC */
			if (BPF_MISCOP(f->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

/* Does the program allow the call without looking at more than its number and architecture? As Linux's
 * seccomp_is_const_allow(). */
static bool allows_always(const struct seccomp_filter *flt, uint32_t nr)
{
	uint32_t a = 0;

	for (uint32_t pc = 0; pc < flt->len; pc++) {
		const struct sock_filter *f = &flt->insn[pc];
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f->k == offsetof(struct seccomp_data, nr))
				a = nr;
			else if (f->k == offsetof(struct seccomp_data, arch))
				a = AUDIT_ARCH_X86_64;
			else
				return false;
			break;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += jump_taken(f->code, a, f->k) ? f->jt : f->jf;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_RET | BPF_K:
			return (f->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW;
		default:
			return false;
		}
	}
	return false;
}

/* The program has been checked, and prev is set. */
static void fill_cache(struct seccomp_filter *f)
{
	for (uint32_t nr = 0; nr < CACHED_CALLS; nr++)
		if ((!f->prev || (f->prev->allows[nr / 64] >> nr % 64 & 1)) && allows_always(f, nr))
			f->allows[nr / 64] |= 1UL << nr % 64;
}

static bool is_cached(const struct seccomp_filter *f, uint64_t nr)
{
	return f && nr < CACHED_CALLS && (f->allows[nr / 64] >> nr % 64 & 1);
}

/* The strictest answer of all filters; at equal strictness the newest filter's data counts. */
static uint32_t run_all(const struct seccomp_filter *f, const struct seccomp_data *d, bool *log)
{
	uint32_t result = SECCOMP_RET_ALLOW;

	for (; f; f = f->prev) {
		uint32_t r = run_filter(f, d);
		if ((int32_t)(r & SECCOMP_RET_ACTION_FULL) < (int32_t)(result & SECCOMP_RET_ACTION_FULL)) {
			result = r;
			*log = f->log;
		}
	}
	return result;
}

static void send_sigsys(struct task *t, uint64_t nr, uint16_t data)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = SIGSYS;
	si.si_code = SYS_SECCOMP;
	si.si_errno = data;
	si.si_call_addr = (void *)t->uc.regs.rip;
	si.si_syscall = (int)nr;
	si.si_arch = AUDIT_ARCH_X86_64;
	signal_force(&si);
}

static bool strict_allows(uint64_t nr)
{
	return nr == __NR_read || nr == __NR_write || nr == __NR_exit || nr == __NR_rt_sigreturn;
}

/* traced: a tracer has been asked already. */
static bool check(uint64_t nr, const struct sysargs *a, bool traced)
{
	struct task *t = current;
	struct user_regs *r = &t->uc.regs;
	bool log = false;

	if (t->seccomp_mode == SECCOMP_MODE_STRICT) {
		if (strict_allows(nr))
			return true;
		task_exit(SIGKILL);
	}
	if (is_cached(READ_ONCE(t->seccomp), nr))
		return true;
	struct seccomp_data d = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = r->rip};
	for (int i = 0; i < 6; i++)
		d.args[i] = arg_u64(a, i);
	uint32_t answer = run_all(READ_ONCE(t->seccomp), &d, &log);
	uint16_t data = answer & SECCOMP_RET_DATA;
	if (log && (answer & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ALLOW)
		pr_info("%s[%d]: seccomp answers system call %s with %x", t->comm, t->vtid, syscall_name(nr), answer);
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return true;
	case SECCOMP_RET_LOG:
		pr_info("%s[%d]: seccomp logs system call %s", t->comm, t->vtid, syscall_name(nr));
		return true;
	case SECCOMP_RET_ERRNO:
		r->rax = (uint64_t)-(int64_t)MIN(data, (uint16_t)4095);
		return false;
	case SECCOMP_RET_TRAP:
		r->rax = nr;
		t->syscall_nr = -1;
		r->orig_rax = UINT64_MAX;
		send_sigsys(t, nr, data);
		return false;
	case SECCOMP_RET_TRACE:
		/* The tracer may skip the call by the number -1, its rax is the answer then; or change it, but the filters
		 * hold for what it makes of it. */
		if (traced)
			return true;
		return ptrace_seccomp(data) && (int32_t)r->orig_rax != -1 && !fatal_signal_pending(t) &&
		       check((uint32_t)r->orig_rax, a, true);
	case SECCOMP_RET_USER_NOTIF:
		return false; /* rax is -ENOSYS */
	case SECCOMP_RET_KILL_THREAD:
		pr_info("%s[%d]: killed by seccomp in system call %s", t->comm, t->vtid, syscall_name(nr));
		if (READ_ONCE(t->proc->nr_threads) > 1)
			task_exit(SIGSYS);
		task_exit_group(SIGSYS);
	default:
		pr_info("%s[%d]: killed by seccomp in system call %s", t->comm, t->vtid, syscall_name(nr));
		task_exit_group(SIGSYS);
	}
}

bool seccomp_check(uint64_t nr, const struct sysargs *a) { return check(nr, a, false); }

/* ---- life ---- */
void seccomp_filter_put(struct seccomp_filter *f)
{
	while (f && ref_put(&f->refs)) {
		struct seccomp_filter *prev = f->prev;
		kfree(f);
		f = prev;
	}
}

void seccomp_fork(struct task *child, struct task *parent)
{
	child->no_new_privs = parent->no_new_privs;
	child->seccomp_mode = parent->seccomp_mode;
	child->seccomp = parent->seccomp;
	if (child->seccomp)
		ref_get(&child->seccomp->refs);
}

void seccomp_put(struct task *t)
{
	spin_lock(&tasklist_lock);
	struct seccomp_filter *f = t->seccomp;
	t->seccomp = NULL;
	spin_unlock(&tasklist_lock);
	seccomp_filter_put(f);
}

uint32_t seccomp_filter_count(struct task *t)
{
	uint32_t n = 0;

	spin_lock(&tasklist_lock);
	for (const struct seccomp_filter *f = t->seccomp; f; f = f->prev)
		n++;
	spin_unlock(&tasklist_lock);
	return n;
}

/* ---- installing ---- */
/* A filter behind prev (NULL: the first) with room for len instructions, or ERR_PTR. */
static struct seccomp_filter *filter_alloc(uint32_t len, struct seccomp_filter *prev)
{
	uint32_t path = len + FILTER_PENALTY + (prev ? prev->path_len : 0);

	if (path > PATH_INSNS_MAX)
		return ERR_PTR(-ENOMEM);
	struct seccomp_filter *f = kmalloc(sizeof(*f) + len * sizeof(struct sock_filter));
	if (!f)
		return ERR_PTR(-ENOMEM);
	*f = (struct seccomp_filter){.len = len, .path_len = path, .prev = prev};
	ref_init(&f->refs);
	return f;
}

/* Checks the instructions that are in place; err: why they are not. Returns f, or ERR_PTR once it has freed it. */
static struct seccomp_filter *filter_finish(struct seccomp_filter *f, int err)
{
	if (!err)
		err = check_program(f->insn, f->len);
	if (err) {
		kfree(f);
		return ERR_PTR(err);
	}
	fill_cache(f);
	return f;
}

static struct seccomp_filter *read_filter(uva_t at, struct seccomp_filter *prev)
{
	struct {
		uint16_t len;
		uint64_t filter;
	} prog;

	if (copy_in_struct(&prog, at))
		return ERR_PTR(-EFAULT);
	if (prog.len == 0 || prog.len > BPF_MAXINSNS)
		return ERR_PTR(-EINVAL);
	if (!cred_own_capable(current->cred, CAP_SYS_ADMIN) && !current->no_new_privs)
		return ERR_PTR(-EACCES);
	struct seccomp_filter *f = filter_alloc(prog.len, prev);
	if (IS_ERR(f))
		return f;
	return filter_finish(f, copy_in(f->insn, uva(prog.filter), prog.len * sizeof(struct sock_filter)));
}

struct seccomp_filter *seccomp_filter_create(const void *program, uint32_t bytes, bool log)
{
	uint32_t len = bytes / sizeof(struct sock_filter);

	if (!len || len > BPF_MAXINSNS || bytes % sizeof(struct sock_filter))
		return ERR_PTR(-EINVAL);
	struct seccomp_filter *f = filter_alloc(len, NULL);
	if (IS_ERR(f))
		return f;
	f->log = log;
	memcpy(f->insn, program, bytes);
	return filter_finish(f, 0);
}

void seccomp_adopt(struct seccomp_filter *f)
{
	struct task *me = current;

	ref_get(&f->refs);
	spin_lock(&tasklist_lock);
	me->seccomp = f;
	WRITE_ONCE(me->seccomp_mode, SECCOMP_MODE_FILTER);
	spin_unlock(&tasklist_lock);
}

static bool is_ancestor(const struct seccomp_filter *maybe, const struct seccomp_filter *of)
{
	if (!maybe)
		return true;
	for (; of; of = of->prev)
		if (of == maybe)
			return true;
	return false;
}

/* The first thread that cannot take over our filters, or 0. tasklist_lock held. */
static int first_obstacle(const struct task *me)
{
	struct task *t;

	list_for_each_entry(t, &me->proc->threads, thread_link) {
		if (t == me)
			continue;
		if (t->seccomp_mode == SECCOMP_MODE_STRICT || !is_ancestor(t->seccomp, me->seccomp))
			return t->vtid;
	}
	return 0;
}

static void sync_threads(struct task *me)
{
	struct task *t;

	list_for_each_entry(t, &me->proc->threads, thread_link) {
		if (t == me)
			continue;
		struct seccomp_filter *old = t->seccomp;
		ref_get(&me->seccomp->refs);
		WRITE_ONCE(t->seccomp, me->seccomp);
		WRITE_ONCE(t->seccomp_mode, SECCOMP_MODE_FILTER);
		seccomp_filter_put(old); /* an ancestor: it lives on */
		if (me->no_new_privs)
			WRITE_ONCE(t->no_new_privs, true);
	}
}

static int64_t set_filter(uint32_t flags, uva_t args)
{
	struct task *me = current;
	int obstacle = 0;

	if (flags & ~(uint32_t)(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
	                        SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return -EINVAL;
	if (me->seccomp_mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	for (;;) {
		struct seccomp_filter *f = read_filter(args, READ_ONCE(me->seccomp));
		if (IS_ERR(f))
			return PTR_ERR(f);
		f->log = flags & SECCOMP_FILTER_FLAG_LOG;
		spin_lock(&tasklist_lock);
		bool stale = f->prev != me->seccomp; /* another thread gave us its filters meanwhile */
		if (!stale && (flags & SECCOMP_FILTER_FLAG_TSYNC))
			obstacle = first_obstacle(me);
		if (!stale && !obstacle) {
			me->seccomp = f; /* our reference on the previous one passes to f */
			WRITE_ONCE(me->seccomp_mode, SECCOMP_MODE_FILTER);
			if (flags & SECCOMP_FILTER_FLAG_TSYNC)
				sync_threads(me);
			f = NULL;
		}
		spin_unlock(&tasklist_lock);
		if (!f)
			return 0;
		kfree(f);
		if (obstacle)
			return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : obstacle;
	}
}

static int64_t set_strict(void)
{
	struct task *me = current;

	spin_lock(&tasklist_lock); /* against TSYNC of another thread */
	bool filtered = me->seccomp_mode == SECCOMP_MODE_FILTER;
	if (!filtered)
		me->seccomp_mode = SECCOMP_MODE_STRICT;
	spin_unlock(&tasklist_lock);
	return filtered ? -EINVAL : 0;
}

int64_t seccomp_set_mode(uint32_t op, uint32_t flags, uva_t args)
{
	uint32_t action;

	switch (op) {
	case SECCOMP_SET_MODE_STRICT:
		return flags || args.v ? -EINVAL : set_strict();
	case SECCOMP_SET_MODE_FILTER:
		return set_filter(flags, args);
	case SECCOMP_GET_ACTION_AVAIL:
		if (flags)
			return -EINVAL;
		if (copy_in_struct(&action, args))
			return -EFAULT;
		switch (action) {
		case SECCOMP_RET_KILL_PROCESS:
		case SECCOMP_RET_KILL_THREAD:
		case SECCOMP_RET_TRAP:
		case SECCOMP_RET_ERRNO:
		case SECCOMP_RET_TRACE:
		case SECCOMP_RET_LOG:
		case SECCOMP_RET_ALLOW:
			return 0;
		default:
			return -EOPNOTSUPP;
		}
	default:
		return -EINVAL;
	}
}

int64_t sys_seccomp(const struct sysargs *a)
{
	return seccomp_set_mode(arg_u32(a, 0), arg_u32(a, 1), arg_uva(a, 2));
}
