// SPDX-License-Identifier: Apache-2.0
/*
 * Signal handlers of the sandbox process. They run on an alternate stack, since the interrupted code may be on a
 * stack of the Sentry. Nothing here allocates or locks.
 */
#define _GNU_SOURCE
#include "vmm/crash.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "vmm/events.h"
#include "vmm/image.h"
#include "vmm/memory.h"
#include "vmm/terminal.h"
#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

#define ALT_STACK_SIZE (32 << 10)
#define MAX_FRAMES 40

static const int fault_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };

static void line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void line(const char *fmt, ...)
{
	char buf[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (n > (int)sizeof(buf) - 2)
		n = sizeof(buf) - 2;
	buf[n++] = '\n';
	log_raw(buf, n);
}

static void frame_line(uint64_t rip)
{
	uint64_t off = 0;
	const char *name = image_symbol(rip, &off);

	if (name)
		line("  %#lx %s+%#lx", rip, name, off);
	else
		line("  %#lx", rip);
}

void crash_backtrace(uint64_t rip, uint64_t rbp)
{
	uint64_t limit = (rbp & ~(KSTACK_SIZE - 1)) + KSTACK_TASK_OFF;

	if (rip)
		frame_line(rip);
	for (int i = 0; i < MAX_FRAMES; i++) {
		const uint64_t *f = (const uint64_t *)rbp;

		if (rbp & 7 || rbp + 16 > limit || !memory_is_ram(rbp, 16) || !image_is_text(f[1]))
			return;
		frame_line(f[1]);
		if (f[0] <= rbp)
			return;
		rbp = f[0];
	}
}

static void report(int sig, const siginfo_t *info, const ucontext_t *uc)
{
	const greg_t *g = uc->uc_mcontext.gregs;
	const char *where = image_is_text(g[REG_RIP]) ? "the Sentry" : "the VMM";

	if (sig == SIGSYS) {
		line("runsc: seccomp refused system call %d of %s", info->si_syscall, where);
	} else {
		line("runsc: %s crashed: %s at address %p, rip %#llx, vCPU %d", where, strsignal(sig), info->si_addr,
		     g[REG_RIP], vcpu_self ? (int)vcpu_self->id : -1);
	}
	line("  rax %#018llx rbx %#018llx rcx %#018llx", g[REG_RAX], g[REG_RBX], g[REG_RCX]);
	line("  rdx %#018llx rsi %#018llx rdi %#018llx", g[REG_RDX], g[REG_RSI], g[REG_RDI]);
	line("  rbp %#018llx rsp %#018llx r8  %#018llx", g[REG_RBP], g[REG_RSP], g[REG_R8]);
	line("  r9  %#018llx r10 %#018llx r11 %#018llx", g[REG_R9], g[REG_R10], g[REG_R11]);
	line("  r12 %#018llx r13 %#018llx r14 %#018llx", g[REG_R12], g[REG_R13], g[REG_R14]);
	line("  r15 %#018llx flags %#llx error %#llx", g[REG_R15], g[REG_EFL], g[REG_ERR]);
	if (image_is_text(g[REG_RIP]))
		crash_backtrace(g[REG_RIP], g[REG_RBP]);
	else if (vcpu_self)
		crash_backtrace(0, vcpu_self->sentry_rbp);
}

static void on_fault(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	uint64_t fixup = 0;

	if (sig == SIGSEGV || sig == SIGBUS)
		fixup = image_fixup(uc->uc_mcontext.gregs[REG_RIP]);
	if (fixup) {
		uc->uc_mcontext.gregs[REG_RIP] = fixup;
		return;
	}
	terminal_restore(); /* or the lines of the report would not begin at the left */
	report(sig, info, uc);
	if (!vcpu_self)
		_exit(128 + sig);
	vmm_stop(-EFAULT);
	vcpu_park();
}

/* What the kernel itself sends (of the terminal: its hang-up, its size) is not meant for the container's init. */
static void on_forward(int sig, siginfo_t *info, void *ctx)
{
	int saved = errno;

	if (info->si_code <= 0 && info->si_code != SI_TIMER) {
		atomic_fetch_or(&vmm.signals, 1UL << (sig - 1));
		events_wake();
	}
	errno = saved;
}

static void on_kick(int sig, siginfo_t *info, void *ctx)
{
	struct vmm_vcpu *vv = vcpu_self;
	int saved = errno;

	if (info->si_code == SI_USER || info->si_code == SI_QUEUE)
		on_forward(sig, info, ctx);
	if (vv) {
		if (info->si_code == SI_TIMER && info->si_value.sival_int != PLATFORM_TIMER) {
			__atomic_store_n(&vv->timer_deadline, ~0UL, __ATOMIC_RELAXED);
			__atomic_store_n(&vv->shared->kick_pending, 1, __ATOMIC_SEQ_CST);
		}
		if (vv->pv)
			vmm.ops->vcpu_signal(vv->pv);
	}
	errno = saved;
}

static void on_parent_death(int sig, siginfo_t *info, void *ctx)
{
	int saved = errno;

	vmm_stop(SIGKILL);
	errno = saved;
}

void crash_unblock(sigset_t *mask)
{
	for (unsigned i = 0; i < sizeof(fault_signals) / sizeof(fault_signals[0]); i++)
		sigdelset(mask, fault_signals[i]);
}

int crash_thread_init(void)
{
	stack_t ss = { .ss_size = ALT_STACK_SIZE };

	ss.ss_sp = mmap(NULL, ALT_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (ss.ss_sp == MAP_FAILED)
		return -errno;
	return sigaltstack(&ss, NULL) ? -errno : 0;
}

static int install(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | SA_ONSTACK | flags };

	sigfillset(&sa.sa_mask);
	crash_unblock(&sa.sa_mask);
	return sigaction(sig, &sa, NULL) ? -errno : 0;
}

int crash_init(void)
{
	/* A reader that has gone, and the host's terminal, of which the container hears through its own. */
	static const int ignored[] = { SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU };
	static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR,
		SIGURG, SIGCONT, SIGWINCH, SIGXCPU };
	sigset_t kick;
	int rc = 0;

	for (unsigned i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	for (unsigned i = 0; !rc && i < sizeof(fault_signals) / sizeof(fault_signals[0]); i++)
		rc = install(fault_signals[i], on_fault, 0);
	if (!rc)
		rc = install(KICK_SIGNAL, on_kick, SA_RESTART);
	if (!rc)
		rc = install(PARENT_DEATH_SIGNAL, on_parent_death, SA_RESTART);
	for (unsigned i = 0; !rc && i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		rc = install(forwarded[i], on_forward, SA_RESTART);
	for (int sig = SIGRTMIN; !rc && sig <= SIGRTMAX; sig++)
		rc = install(sig, on_forward, SA_RESTART);
	/* Other threads than vCPUs never take a kick. */
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	sigprocmask(SIG_BLOCK, &kick, NULL);
	return rc ? rc : crash_thread_init();
}
