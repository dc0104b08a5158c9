/* SPDX-License-Identifier: Apache-2.0 */
/* execve: arguments, environment, auxiliary vector, what is kept and what is not, scripts, errors. */
#include "abi.h"

#include <cpuid.h>
#include <elf.h>
#include <sys/auxv.h>
#include <sys/resource.h>

static char self[4096];

static int run(const char *path, char *const argv[], char *const envp[])
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		execve(path, argv, envp);
		_exit(errno == ENOENT ? 126 : 127);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void arguments(void)
{
	char *argv[] = {"name", "--child-args", "", "two words", NULL}, *envp[] = {"A=1", "B=", NULL};
	int status = run(self, argv, envp);

	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 40);
}

static int child_args(int argc, char **argv)
{
	extern char **environ;

	if (argc != 4 || strcmp(argv[0], "name") || strcmp(argv[2], "") || strcmp(argv[3], "two words"))
		return 1;
	if (!environ[0] || !environ[1] || environ[2] || strcmp(environ[0], "A=1") || strcmp(environ[1], "B="))
		return 2;
	if (getauxval(AT_PAGESZ) != 4096 || !getauxval(AT_RANDOM) || !getauxval(AT_PHDR) || getauxval(AT_SECURE))
		return 3;
	if (getauxval(AT_UID) != getuid() || getauxval(AT_EGID) != getegid() || getauxval(AT_CLKTCK) != 100)
		return 4;
	if (strcmp((char *)getauxval(AT_EXECFN), self[0] ? self : argv[0]) && !getauxval(AT_EXECFN))
		return 5;
	if ((uintptr_t)__builtin_frame_address(0) & 7)
		return 6;
	return 40;
}

static void on_signal(int sig) {}

static void inheritance(void)
{
	char fd_text[16], *argv[] = {"x", "--child-inherit", fd_text, NULL};
	int keep = open("/dev/null", O_RDONLY), lose = open("/dev/null", O_RDONLY | O_CLOEXEC), status;
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGUSR1, on_signal);
	signal(SIGHUP, SIG_IGN);
	snprintf(fd_text, sizeof(fd_text), "%d,%d", keep, lose);
	status = run(self, argv, (char *[]){NULL});
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 41);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	close(keep);
	close(lose);
}

static int child_inherit(char *fds)
{
	struct sigaction sa;
	sigset_t set;
	int keep = atoi(fds), lose = atoi(strchr(fds, ',') + 1);

	if (fcntl(keep, F_GETFD) != 0 || fcntl(lose, F_GETFD) != -1)
		return 1;
	sigaction(SIGUSR1, NULL, &sa);
	if (sa.sa_handler != SIG_DFL)
		return 2;
	sigaction(SIGHUP, NULL, &sa);
	if (sa.sa_handler != SIG_IGN)
		return 3;
	sigprocmask(SIG_BLOCK, NULL, &set);
	if (!sigismember(&set, SIGUSR2) || sigismember(&set, SIGUSR1))
		return 4;
	return 41;
}

static void file(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	if (write(fd, text, strlen(text)) < 0)
		abi_fail(__FILE__, __LINE__, "write");
	close(fd);
}

static void scripts(void)
{
	char text[4200], *argv[] = {"script", "a", NULL}, *envp[] = {NULL};
	int status;

	snprintf(text, sizeof(text), "#!%s --child-script\nignored\n", self);
	file("script", text, 0755);
	status = run("./script", argv, envp);
	CHECK_EQ(WEXITSTATUS(status), 42);
	file("script2", "#! ./script\n", 0755);
	status = run("./script2", argv, envp);
	CHECK_EQ(WEXITSTATUS(status), 42);
	file("noint", "#!/no/such/interpreter\n", 0755);
	CHECK_ERRNO(execve("./noint", argv, envp), ENOENT);
}

static void errors(void)
{
	char *argv[] = {"x", NULL}, *envp[] = {NULL};
	char header[64] = "\177ELF\2\1\1";

	CHECK_ERRNO(execve("./absent", argv, envp), ENOENT);
	CHECK_ERRNO(execve(".", argv, envp), EACCES);
	file("plain", "text", 0644);
	CHECK_ERRNO(execve("./plain", argv, envp), EACCES);
	chmod("plain", 0755);
	CHECK_ERRNO(execve("./plain", argv, envp), ENOEXEC);
	CHECK_ERRNO(execve("./plain/x", argv, envp), ENOTDIR);
	file("empty", "", 0755);
	CHECK_ERRNO(execve("./empty", argv, envp), ENOEXEC);
	int fd = open("elf", O_WRONLY | O_CREAT, 0755);
	CHECK_EQ(write(fd, header, sizeof(header)), sizeof(header));
	CHECK_ERRNO(execve("./elf", argv, envp), ETXTBSY);
	close(fd);
	CHECK_ERRNO(execve("./elf", argv, envp), ENOEXEC);
	CHECK_ERRNO(execve(BAD_POINTER, argv, envp), EFAULT);
	CHECK_ERRNO(execve("./plain", BAD_POINTER, envp), EFAULT);
}

static void too_big(void)
{
	static char *argv[40];
	char *big = malloc(140000), *envp[] = {NULL};

	memset(big, 'a', 140000);
	big[139999] = 0;
	argv[0] = big;
	argv[1] = NULL;
	CHECK_ERRNO(execve(self, argv, envp), E2BIG);
	free(big);
}

static void by_descriptor(void)
{
	char *argv[] = {"name", "--child-args", "", "two words", NULL}, *envp[] = {"A=1", "B=", NULL};
	int fd = open(self, O_RDONLY | O_CLOEXEC), status;
	pid_t pid = fork();

	if (!pid) {
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 40);
	close(fd);
}

/* Protection keys of a new program: only the first may be used (pkeys(7)). Seen by XSAVE, which needs no CR4.PKE. */
static int child_pkru(void)
{
	static uint8_t area[8192] __attribute__((aligned(64)));
	unsigned a, b, c, d, lo, hi;
	uint32_t pkru;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 43;
	__asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	if (!(lo & 0x200))
		return 43;
	__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(0x200), "d"(0) : "memory");
	__cpuid_count(0xd, 9, a, b, c, d);
	memcpy(&pkru, area + b, sizeof(pkru));
	return pkru == 0x55555554 ? 43 : 1;
}

static void protection_keys(void)
{
	char *argv[] = {"x", "--child-pkru", NULL}, *envp[] = {NULL};

	CHECK_EQ(WEXITSTATUS(run(self, argv, envp)), 43);
}

static void scratch(void) { abi_scratch(); }

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {ABI_TEST(scratch), ABI_TEST(arguments), ABI_TEST(inheritance),
	    ABI_TEST(scripts), ABI_TEST(errors), ABI_TEST(too_big), ABI_TEST(by_descriptor), ABI_TEST(protection_keys)};

	if (argc > 1 && !strcmp(argv[1], "--child-args"))
		return child_args(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "--child-pkru"))
		return child_pkru();
	if (argc > 2 && !strcmp(argv[1], "--child-inherit"))
		return child_inherit(argv[2]);
	if (argc > 1 && !strcmp(argv[1], "--child-script"))
		return argc >= 4 && !strcmp(argv[argc - 1], "a") ? 42 : 1;
	if (!realpath(argv[0], self))
		return 2;
	return abi_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
