/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole VMM, in guest placement, with an image that means it ill (hostile_image.S) in the place of the Sentry: each attack
 * must end the sandbox with one clear reason, or go on until it is ended from outside; the process never dies of it.
 *
 *     hostile_guest [NAME]
 *
 * A KVM that emulates ring 0 must refuse guest placement instead. Exit status 77: no usable /dev/kvm.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/boot.h"
#include "tests/kvm/hostile_attacks.h"
#include "vmm/crash.h"
#include "vmm/vmm.h"

#define END_MS  60000 /* by then all has ended that ends */
#define LIVE_MS 1500  /* so long those are watched that live */

_Static_assert(offsetof(struct vcpu, nr_vcpus) == VCPU_COUNT && offsetof(struct vcpu, kick_pending) == VCPU_KICK &&
               offsetof(struct vcpu, guest_mode) == VCPU_MODE && offsetof(struct vcpu, preempt_at) == VCPU_PREEMPT &&
               offsetof(struct vcpu, preempt_uses) == VCPU_USES, "hostile_image.S");

enum { ENDS, LIVES };

static const struct attack {
	const char *name;
	int end;
	const char *text;
} attacks[] = {
#define ATTACK(name, end, text) {#name, end, text},
	ATTACKS(ATTACK)
};

/* The child: its result and the reason, as lines of standard error. */
static void __attribute__((noreturn)) run(unsigned n, int kvm_fd)
{
	struct vmm_config c = {.kvm_fd = kvm_fd, .statm_fd = -1, .meminfo_fd = -1, .platform = "kvm", .sentry = "guest", .tsc = "auto",
		.nr_cpus = HOSTILE_FIRST + n, .memory_limit = 256 << 20, .control_fd = -1, .ready_fd = -1, .gofer_fd = -1, .debug_log_fd = -1};
	char line[1200];
	int rc, len;

	vmm_look_at_host(&c);
	rc = vmm_run(&c);
	len = snprintf(line, sizeof(line), "result %d: %s\n", rc, vmm_reason() ? vmm_reason() : "");

	_exit(write(STDERR_FILENO, line, len) != len);
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Everything until the other end is closed; false if it is open still after so many milliseconds. */
static bool read_all(int fd, char *text, size_t size, long ms)
{
	size_t n = strlen(text);
	long end = now_ms() + ms;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		long left = end - now_ms();
		char drop[256];
		ssize_t got;

		if (left <= 0 || poll(&p, 1, left) <= 0)
			return false;
		got = n < size - 1 ? read(fd, text + n, size - 1 - n) : read(fd, drop, sizeof(drop));
		if (got <= 0)
			return true;
		if (n < size - 1)
			text[n += got] = 0;
	}
}

/* The last line. */
static const char *result_of(const char *text)
{
	const char *at = strstr(text, "result "), *next;

	while (at && (next = strstr(at + 1, "result ")))
		at = next;
	return at ? at : "";
}

static const char *judge(const struct attack *a, bool ended, int status, const char *text)
{
	const char *result = result_of(text);

	if (!ended)
		return "it could not be ended";
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return "the process died of it";
	if (strstr(text, "crashed"))
		return "the VMM crashed";
	if (a->end == LIVES)
		return strncmp(result, "result 9:", 9) ? "it ended by itself, or not as it was told to" : NULL;
	if (strncmp(result, "result -", 8) || strlen(result) < sizeof("result -5: x"))
		return "no reason is given";
	return strstr(result, a->text) ? NULL : "the reason is another one";
}

/* Waits until the sandbox is made, which its seccomp filter completes, or has ended. */
static void wait_made(pid_t pid)
{
	char path[32], line[256];
	siginfo_t si = {.si_pid = 0};
	bool made = false;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	for (long end = now_ms() + END_MS; !made && now_ms() < end; usleep(1000)) {
		FILE *f = fopen(path, "r");

		while (f && !made && fgets(line, sizeof(line), f))
			made = !strcmp(line, "Seccomp:\t2\n");
		if (f)
			fclose(f);
		if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) || si.si_pid)
			return;
	}
}

static bool attempt(unsigned n, int kvm_fd)
{
	static char text[65536];
	const struct attack *a = &attacks[n];
	const char *wrong;
	int p[2], status = 0;
	bool ended;
	pid_t pid;

	if (pipe(p))
		return false;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(p[1], STDERR_FILENO);
		close(p[0]);
		close(p[1]);
		run(n, kvm_fd);
	}
	close(p[1]);
	*text = 0;
	if (a->end == LIVES)
		wait_made(pid);
	ended = read_all(p[0], text, sizeof(text), a->end == LIVES ? LIVE_MS : END_MS);
	if (!ended && a->end == LIVES) {
		kill(pid, PARENT_DEATH_SIGNAL);
		ended = read_all(p[0], text, sizeof(text), END_MS);
	}
	if (!ended)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(p[0]);
	wrong = judge(a, ended, status, text);
	printf("%s %s %s", wrong ? "FAIL" : "ok  ", a->name, result_of(text));
	if (wrong)
		printf("  %s (status %#x):\n%.2000s\n", wrong, status, text);
	return !wrong;
}

/* Where the placement is refused: 0 if it is said why. */
static int refused(int kvm_fd)
{
	char text[8192] = "";
	int p[2], status;
	pid_t pid;

	if (pipe(p))
		return 1;
	pid = fork();
	if (!pid) {
		dup2(p[1], STDERR_FILENO);
		close(p[0]);
		close(p[1]);
		run(0, kvm_fd);
	}
	close(p[1]);
	read_all(p[0], text, sizeof(text), END_MS);
	waitpid(pid, &status, 0);
	close(p[0]);
	if (!strstr(text, "cannot run in the guest here"))
		return -1;
	printf("ok   %s", result_of(text));
	return status;
}

int main(int argc, char **argv)
{
	int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), rc;
	unsigned failed = 0;

	if (kvm_fd < 0) {
		printf("no /dev/kvm: %s\n", strerror(errno));
		return 77;
	}
	rc = refused(kvm_fd);
	if (rc >= 0)
		return rc;
	for (unsigned n = 0; n < sizeof(attacks) / sizeof(attacks[0]); n++)
		if (argc < 2 || !strcmp(argv[1], attacks[n].name))
			failed += !attempt(n, kvm_fd);
	printf("%u of %zu attacks failed the test\n", failed, sizeof(attacks) / sizeof(attacks[0]));
	return failed != 0;
}
