/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the sandbox process. */
#ifndef VMM_THREAD_H
#define VMM_THREAD_H

#include <signal.h>
#include <stddef.h>

/* libc installs signal handlers with the first thread: let it, before a filter forbids it. 0 or -errno. */
int thread_init(void);
/* Starts a detached thread with a stack of so many bytes above a guard page; blocked: its signal mask. 0 or -errno. Its
 * stack is never given back: such threads live as long as the sandbox. */
int thread_start(void *(*fn)(void *), void *arg, size_t stack, const sigset_t *blocked);

#endif
