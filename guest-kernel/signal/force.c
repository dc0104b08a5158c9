// SPDX-License-Identifier: Apache-2.0
/* Signals that the current task brought upon itself: faults and what cannot be delivered. They cannot be blocked. */
#include "signal/sigqueue.h"

void signal_force(const siginfo_t *si)
{
	struct task *t = current;
	struct process *p = t->proc;
	int signo = si->si_signo;
	struct k_sigaction *a = &p->sig.action[signo - 1];

	spin_lock(&p->sig.lock);
	if ((t->sig.blocked & SIGBIT(signo)) || a->handler == (uint64_t)SIG_IGN) {
		a->handler = (uint64_t)SIG_DFL;
		t->sig.blocked &= ~SIGBIT(signo);
		signal_recompute(t);
	}
	if (a->handler == (uint64_t)SIG_DFL)
		p->sig.unkillable_cleared = true;
	spin_unlock(&p->sig.lock);
	(void)signal_send_task(t, si);
}

void signal_fault(int signo, int code, uint64_t addr, int trapno, uint64_t error)
{
	struct task *t = current;
	siginfo_t si;

	siginfo_kernel(&si, signo);
	si.si_code = code;
	si.si_addr = (void *)addr;
	t->sig.trapno = (uint64_t)trapno;
	t->sig.trap_error = error;
	if (trapno == 14)
		t->sig.trap_addr = addr;
	signal_force(&si);
}

void signal_force_segv(int while_delivering)
{
	struct process *p = current->proc;
	siginfo_t si;

	if (while_delivering == SIGSEGV) {
		spin_lock(&p->sig.lock);
		p->sig.action[SIGSEGV - 1].handler = (uint64_t)SIG_DFL;
		spin_unlock(&p->sig.lock);
	}
	siginfo_kernel(&si, SIGSEGV);
	signal_force(&si);
}
