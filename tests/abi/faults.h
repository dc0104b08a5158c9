/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers for the signals of exceptions, on a stack of their own: the program's may be what is wrong. */
#ifndef TESTS_ABI_FAULTS_H
#define TESTS_ABI_FAULTS_H

#include <signal.h>

static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
#define FAULT_SIGNALS (sizeof(fault_signals) / sizeof(fault_signals[0]))

static void catch_faults(void (*fn)(int, siginfo_t *, void *))
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_sigaction = fn, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	sigaltstack(&ss, NULL);
	for (unsigned i = 0; i < FAULT_SIGNALS; i++)
		sigaction(fault_signals[i], &sa, NULL);
}

static void let_faults_kill(void)
{
	stack_t ss = {.ss_flags = SS_DISABLE};

	for (unsigned i = 0; i < FAULT_SIGNALS; i++)
		signal(fault_signals[i], SIG_DFL);
	sigaltstack(&ss, NULL);
}

#endif
