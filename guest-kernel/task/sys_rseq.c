/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rseq(2). The critical section descriptor is user memory: it is copied once and every field is checked as Linux's
 * kernel/rseq.c does. Debugging flags (RSEQ_CS_FLAG_*) are refused as current kernels do.
 */
#include <linux/rseq.h>

#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/rseq.h"

#define RSEQ_ORIG_SIZE 32u
#define RSEQ_AREA_ALIGN 32u

/* Offsets of struct rseq; node_id and mm_cid (v6.3) lie behind the original 20 bytes. */
#define RSEQ_CPU_ID_START 0
#define RSEQ_CPU_ID       4
#define RSEQ_CS           8
#define RSEQ_FLAGS        16
#define RSEQ_NODE_ID      20
#define RSEQ_MM_CID       24

static int write_ids(struct task *t, uint32_t start, uint32_t cpu)
{
	uint32_t ids[2] = {start, cpu}, behind[2] = {0, start};

	if (copy_out(uva(t->rseq_addr + RSEQ_CPU_ID_START), ids, sizeof(ids)))
		return -EFAULT;
	if (copy_out(uva(t->rseq_addr + RSEQ_NODE_ID), behind, sizeof(behind)))
		return -EFAULT;
	return 0;
}

/* 0: not inside; 1: inside, *abort_ip valid; -errno. Clears rseq_cs when rip has left the section. */
static int critical_section(struct task *t, uint64_t *abort_ip)
{
	uint64_t ptr, zero = 0, rip = t->uc.regs.rip;
	struct {
		uint32_t version, flags;
		uint64_t start_ip, post_commit_offset, abort_ip;
	} cs;
	uint32_t sig;

	if (copy_in(&ptr, uva(t->rseq_addr + RSEQ_CS), sizeof(ptr)))
		return -EFAULT;
	if (!ptr)
		return 0;
	if (ptr >= USER_MAX)
		return -EINVAL;
	if (copy_in(&cs, uva(ptr), sizeof(cs)))
		return -EFAULT;
	if (cs.start_ip >= USER_MAX || cs.start_ip + cs.post_commit_offset >= USER_MAX || cs.abort_ip >= USER_MAX ||
	    cs.version > 0 || cs.start_ip + cs.post_commit_offset < cs.start_ip ||
	    cs.abort_ip - cs.start_ip < cs.post_commit_offset)
		return -EINVAL;
	if (copy_in(&sig, uva(cs.abort_ip - sizeof(sig)), sizeof(sig)))
		return -EFAULT;
	if (sig != t->rseq_sig)
		return -EINVAL;
	if (cs.flags)
		return -EINVAL;
	if (copy_out(uva(t->rseq_addr + RSEQ_CS), &zero, sizeof(zero)))
		return -EFAULT;
	if (rip - cs.start_ip >= cs.post_commit_offset)
		return 0;
	*abort_ip = cs.abort_ip;
	return 1;
}

static void fix_up(struct task *t)
{
	uint64_t abort_ip;
	int r = critical_section(t, &abort_ip);

	if (r > 0)
		t->uc.regs.rip = abort_ip;
	else if (r < 0)
		signal_fault(SIGSEGV, SI_KERNEL, 0, 0, 0);
}

void rseq_update(struct task *t)
{
	int32_t cpu = t->sched.cpu;

	t->rseq_event = false;
	if (!t->rseq_addr)
		return;
	fix_up(t);
	if (t->rseq_cpu != cpu) {
		t->rseq_cpu = cpu;
		if (write_ids(t, (uint32_t)cpu, (uint32_t)cpu))
			signal_fault(SIGSEGV, SI_KERNEL, 0, 0, 0);
	}
}

void rseq_signal(struct task *t)
{
	if (t->rseq_addr)
		fix_up(t);
}

void rseq_exec(struct task *t)
{
	t->rseq_addr = 0;
	t->rseq_len = t->rseq_sig = 0;
	t->rseq_cpu = -1;
	t->rseq_event = false;
}

int64_t sys_rseq(const struct sysargs *a)
{
	struct task *t = current;
	uint64_t addr = arg_u64(a, 0);
	uint32_t len = arg_u32(a, 1);
	int flags = arg_int(a, 2);
	uint32_t sig = arg_u32(a, 3);

	if (flags & RSEQ_FLAG_UNREGISTER) {
		if (flags & ~RSEQ_FLAG_UNREGISTER)
			return -EINVAL;
		if (!t->rseq_addr || t->rseq_addr != addr || t->rseq_len != len)
			return -EINVAL;
		if (t->rseq_sig != sig)
			return -EPERM;
		if (write_ids(t, 0, (uint32_t)RSEQ_CPU_ID_UNINITIALIZED))
			return -EFAULT;
		rseq_exec(t);
		return 0;
	}
	if (flags)
		return -EINVAL;
	if (t->rseq_addr) {
		if (t->rseq_addr != addr || t->rseq_len != len)
			return -EINVAL;
		return t->rseq_sig != sig ? -EPERM : -EBUSY;
	}
	if (len < RSEQ_ORIG_SIZE || len > PAGE_SIZE || (addr & (RSEQ_AREA_ALIGN - 1)))
		return -EINVAL;
	if (addr >= USER_MAX || USER_MAX - addr < len)
		return -EFAULT;
	t->rseq_addr = addr;
	t->rseq_len = len;
	t->rseq_sig = sig;
	t->rseq_cpu = -1; /* the ids are written before ring 3 */
	t->rseq_event = true;
	return 0;
}
