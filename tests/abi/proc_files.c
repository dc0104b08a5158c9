/* SPDX-License-Identifier: Apache-2.0 */
/* Files of /proc: their formats, and that they agree with the system calls: proc(5). */
#include "abi.h"

#include <dirent.h>
#include <ctype.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

static char text[1 << 18];

/* The contents, NUL-terminated; -1 and empty when it cannot be read. */
static ssize_t slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = 0, r = -1;

	text[0] = 0;
	if (fd < 0)
		return -1;
	while ((r = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
		n += r;
	close(fd);
	text[n] = 0;
	return r < 0 ? -1 : n;
}

/* The value of "Key:" in the text of status-like files; NULL if it is missing. */
static const char *field(const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, key, n) && p[n] == ':')
			return p + n + 1 + strspn(p + n + 1, "\t ");
	return NULL;
}

static long number(const char *key)
{
	const char *v = field(key);

	return CHECK(v != NULL) ? strtol(v, NULL, 10) : -1;
}

static void stat_file(void)
{
	char comm[32], state;
	int pid, ppid, pgrp, session, tty, tpgid, used;
	long v[50];
	int n = 0;

	prctl(PR_SET_NAME, "odd) (name");
	REQUIRE(slurp("/proc/self/stat") > 0);
	prctl(PR_SET_NAME, "abi");
	REQUIRE(sscanf(text, "%d (%31[^\n]", &pid, comm) == 2);
	char *end = strrchr(text, ')');
	REQUIRE(end != NULL);
	CHECK(!strncmp(comm, "odd) (name) ", 12));
	REQUIRE(sscanf(end, ") %c %d %d %d %d %d%n", &state, &ppid, &pgrp, &session, &tty, &tpgid, &used) == 6);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(state, 'R');
	CHECK_EQ(ppid, getppid());
	CHECK_EQ(pgrp, getpgrp());
	CHECK_EQ(session, getsid(0));
	for (char *p = end + used; n < 50 && *p && *p != '\n'; n++)
		v[n] = strtol(p, &p, 10);
	CHECK_EQ(n, 52 - 8);
	CHECK_EQ(v[20 - 9], 1);                         /* threads */
	CHECK(v[23 - 9] > 100000 && v[24 - 9] > 10);    /* vsize, rss */
	unsigned long code = (unsigned long)&stat_file;
	CHECK((unsigned long)v[26 - 9] <= code && code < (unsigned long)v[27 - 9]);
	CHECK_EQ(v[38 - 9], SIGCHLD);
}

static void status_file(void)
{
	static const char *const keys[] = {"Name", "Umask", "State", "Tgid", "Ngid", "Pid", "PPid", "TracerPid", "Uid", "Gid",
	                                   "FDSize", "Groups", "NStgid", "NSpid", "NSpgid", "NSsid", "VmPeak", "VmSize", "VmLck",
	                                   "VmPin", "VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem", "VmData", "VmStk", "VmExe",
	                                   "VmLib", "VmPTE", "VmSwap", "HugetlbPages", "CoreDumping", "THP_enabled", "Threads",
	                                   "SigQ", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff",
	                                   "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Cpus_allowed",
	                                   "Cpus_allowed_list", "Mems_allowed", "Mems_allowed_list", "voluntary_ctxt_switches",
	                                   "nonvoluntary_ctxt_switches"};
	uid_t r, e, s;
	sigset_t block;
	mode_t mask;

	sigemptyset(&block);
	sigaddset(&block, SIGUSR2);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR2);
	signal(SIGUSR1, SIG_IGN);
	mask = umask(027);
	REQUIRE(slurp("/proc/self/status") > 0);
	umask(mask);
	signal(SIGUSR2, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!field(keys[i]))
			abi_fail(__FILE__, __LINE__, "status has no %s", keys[i]);
	CHECK_EQ(number("Pid"), getpid());
	CHECK_EQ(number("Tgid"), getpid());
	CHECK_EQ(number("PPid"), getppid());
	CHECK_EQ(number("Threads"), 1);
	CHECK_EQ(strtol(field("Umask"), NULL, 8), 027);
	CHECK(!strncmp(field("State"), "R (running)\n", 12));
	CHECK_OK(getresuid(&r, &e, &s));
	CHECK_EQ(number("Uid"), r);
	CHECK_EQ(strtoul(field("SigBlk"), NULL, 16), 1UL << (SIGUSR2 - 1));
	CHECK_EQ(strtoul(field("SigPnd"), NULL, 16) | strtoul(field("ShdPnd"), NULL, 16), 1UL << (SIGUSR2 - 1));
	CHECK(strtoul(field("SigIgn"), NULL, 16) & 1UL << (SIGUSR1 - 1));
	CHECK(number("VmRSS") <= number("VmHWM") && number("VmSize") <= number("VmPeak"));
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

struct map {
	unsigned long start, end, off, ino;
	char perms[8], name[128];
};

static bool find_map(const void *addr, struct map *m)
{
	char *save = NULL;

	if (!CHECK(slurp("/proc/self/maps") > 0))
		return false;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		unsigned major, minor;
		int at = 0;

		m->name[0] = 0;
		if (!CHECK(sscanf(l, "%lx-%lx %7s %lx %x:%x %lu%n", &m->start, &m->end, m->perms, &m->off, &major, &minor, &m->ino,
		                  &at) == 7))
			return false;
		sscanf(l + at, " %127[^\n]", m->name);
		CHECK(!m->name[0] || strchr(l, m->name[0] == '[' ? '[' : '/') - l == 73);
		if (m->start <= (unsigned long)addr && (unsigned long)addr < m->end)
			return true;
	}
	return false;
}

static void maps_file(void)
{
	char self[128];
	struct map m;
	struct stat st;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	REQUIRE(n > 0);
	self[n] = 0;
	REQUIRE(find_map((void *)&maps_file, &m));
	CHECK(!strcmp(m.perms, "r-xp") && !strcmp(m.name, self));
	CHECK_OK(stat("/proc/self/exe", &st));
	CHECK_EQ(m.ino, st.st_ino);
	REQUIRE(find_map(&m, &m));
	CHECK(!strcmp(m.name, "[stack]") && !strcmp(m.perms, "rw-p"));
	REQUIRE(find_map((char *)sbrk(0) - 1, &m));
	CHECK(!strcmp(m.name, "[heap]"));
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	CHECK_OK(ftruncate(fd, 8192));
	char *a = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
	REQUIRE(find_map(a, &m));
	CHECK(!strcmp(m.perms, "r--s") && m.off == 4096 && m.end - m.start == 4096);
	CHECK_OK(unlink("f"));
	REQUIRE(find_map(a, &m));
	CHECK(strstr(m.name, "/f (deleted)") != NULL);
	munmap(a, 4096);
	CHECK(!find_map(a, &m) || m.start != (unsigned long)a);
	close(fd);
}

static void descriptors(void)
{
	char path[64], to[128];
	int p[2], fd = open("/dev/null", O_RDWR | O_APPEND | O_CLOEXEC), seen = 0;
	unsigned flags;
	struct stat st;

	CHECK_OK(pipe(p));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, to, sizeof(to));
	CHECK(n == 9 && !memcmp(to, "/dev/null", 9));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	n = readlink(path, to, sizeof(to) - 1);
	to[n > 0 ? n : 0] = 0;
	CHECK_OK(fstat(p[0], &st));
	snprintf(path, sizeof(path), "pipe:[%lu]", st.st_ino);
	CHECK(!strcmp(path, to));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	CHECK_OK(lstat(path, &st));
	CHECK_EQ(st.st_mode, S_IFLNK | 0500);
	CHECK_EQ(st.st_size, 64);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	REQUIRE(slurp(path) > 0);
	CHECK_EQ(number("pos"), 0);
	CHECK(sscanf(field("flags"), "%o", &flags) == 1);
	CHECK_EQ(flags, O_RDWR | O_APPEND | O_CLOEXEC | 0100000);
	CHECK(number("mnt_id") > 0);
	DIR *d = opendir("/proc/self/fd");
	REQUIRE(d != NULL);
	for (struct dirent *e; (e = readdir(d));)
		seen += atoi(e->d_name) == fd || atoi(e->d_name) == p[0] || atoi(e->d_name) == p[1];
	CHECK_EQ(seen, 3);
	closedir(d);
	close(p[0]);
	CHECK_ERRNO(readlink("/proc/self/fd/99999", to, 1), ENOENT);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	CHECK_ERRNO(readlink(path, to, 1), ENOENT);
	close(p[1]);
	close(fd);
}

static void mount_table(void)
{
	bool root = false;
	char *save = NULL;
	int lines = 0;

	REQUIRE(slurp("/proc/self/mountinfo") > 0);
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		int id, parent, major, minor, at = 0;
		char fsroot[256], place[256], options[256], type[64], source[256], super[1024];

		CHECK(sscanf(l, "%d %d %d:%d %255s %255s %255s%n", &id, &parent, &major, &minor, fsroot, place, options, &at) == 7);
		char *dash = strstr(l + at, " - ");
		REQUIRE(dash != NULL);
		CHECK(sscanf(dash, " - %63s %255s %1023s", type, source, super) == 3);
		CHECK(!strncmp(options, "rw", 2) || !strncmp(options, "ro", 2));
		root |= !strcmp(place, "/");
		lines++;
	}
	CHECK(root);
	REQUIRE(slurp("/proc/mounts") > 0);
	for (char *p = text; *p; p++)
		lines -= *p == '\n';
	CHECK_EQ(lines, 0);
}

static void *waits(void *fd)
{
	char c;

	return read(*(int *)fd, &c, 1) < 0 ? fd : NULL;
}

static void threads_and_zombies(void)
{
	char path[64];
	pthread_t t;
	int p[2], n = 0;
	struct stat st;

	CHECK_OK(pipe(p));
	CHECK_OK(pthread_create(&t, NULL, waits, p));
	REQUIRE(slurp("/proc/self/status") > 0);
	CHECK_EQ(number("Threads"), 2);
	DIR *d = opendir("/proc/self/task");
	for (struct dirent *e; d && (e = readdir(d));)
		n += isdigit(e->d_name[0]) != 0;
	closedir(d);
	CHECK_EQ(n, 2);
	CHECK_OK(stat("/proc/self/task", &st));
	CHECK_EQ(st.st_nlink, 4);
	close(p[1]);
	CHECK_OK(pthread_join(t, NULL));
	close(p[0]);

	pid_t child = fork();
	if (!child)
		_exit(0);
	siginfo_t si;
	CHECK_OK(waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/status", child);
	REQUIRE(slurp(path) > 0);
	CHECK(!strncmp(field("State"), "Z (zombie)\n", 11));
	CHECK(field("VmSize") == NULL);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", child);
	CHECK_EQ(slurp(path), 0);
	snprintf(path, sizeof(path), "/proc/%d/exe", child);
	CHECK_ERRNO(readlink(path, text, 1), ENOENT);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_ERRNO(stat(path, &st), ENOENT);
}

static void small_files(void)
{
	struct utsname u;
	struct sysinfo si, later;
	struct rlimit r;
	char want[256];
	double up, idle;

	CHECK_OK(uname(&u));
	CHECK(slurp("/proc/sys/kernel/osrelease") > 0 && !strncmp(text, u.release, strlen(u.release)));
	CHECK(slurp("/proc/sys/kernel/hostname") > 0 && !strncmp(text, u.nodename, strlen(u.nodename)));
	snprintf(want, sizeof(want), "Linux version %s ", u.release);
	CHECK(slurp("/proc/version") > 0 && !strncmp(text, want, strlen(want)));
	CHECK_OK(sysinfo(&si));
	CHECK(slurp("/proc/uptime") > 0 && sscanf(text, "%lf %lf", &up, &idle) == 2);
	CHECK_OK(sysinfo(&later));
	CHECK(up >= (double)si.uptime - 1 && up < (double)later.uptime + 1);
	REQUIRE(slurp("/proc/meminfo") > 0);
	CHECK_EQ(number("MemTotal"), si.totalram * si.mem_unit / 1024);
	CHECK(number("MemAvailable") <= number("MemTotal"));
	REQUIRE(slurp("/proc/self/limits") > 0);
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &r));
	char *l = strstr(text, "Max open files");
	CHECK(l && strtoul(l + 14, NULL, 10) == r.rlim_cur);
	CHECK(slurp("/proc/loadavg") > 0 && sscanf(text, "%lf %lf", &up, &idle) == 2);
	REQUIRE(slurp("/proc/stat") > 0);
	int cpus = 0;
	for (char *p = text; p; p = strstr(p + 1, "\ncpu"))
		cpus++;
	CHECK_EQ(cpus - 1, sysconf(_SC_NPROCESSORS_ONLN));
	REQUIRE(slurp("/proc/self/statm") > 0);
	long v[7];
	CHECK_EQ(sscanf(text, "%ld %ld %ld %ld %ld %ld %ld", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6), 7);
	CHECK(v[0] >= v[1] && v[1] >= v[2]);
	CHECK(slurp("/proc/filesystems") > 0 && strstr(text, "nodev\tproc\n") && strstr(text, "nodev\ttmpfs\n"));
	CHECK(slurp("/proc/self/comm") > 0);
	int fd = open("/proc/self/comm", O_WRONLY);
	CHECK_EQ(write(fd, "renamed", 7), 7);
	close(fd);
	char name[16];
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK(!strcmp(name, "renamed"));
	CHECK(slurp("/proc/self/cmdline") > 0 && strstr(text, "proc_files"));
	CHECK(slurp("/proc/self/environ") >= 0);
	CHECK(slurp("/proc/self/auxv") >= 32);
	struct statfs fs;
	CHECK_OK(statfs("/proc", &fs));
	CHECK_EQ(fs.f_type, 0x9fa0);
	CHECK_ERRNO(open("/proc/nothing", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/self/new", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERRNO(mkdir("/proc/new", 0700), ENOENT);
	CHECK_ERRNO(unlink("/proc/uptime"), EPERM);
}

/* Memory by address, also where it is not writable. */
static void mem_file(void)
{
	char buf[32], *fixed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/mem", O_RDWR);

	REQUIRE(fd >= 0 && fixed != MAP_FAILED);
	strcpy(fixed, "cannot be changed");
	CHECK_OK(mprotect(fixed, 4096, PROT_READ));
	CHECK_EQ(pread(fd, buf, 6, (off_t)fixed), 6);
	CHECK(!memcmp(buf, "cannot", 6));
	CHECK_EQ(pwrite(fd, "may   ", 6, (off_t)fixed), 6);
	CHECK(!strcmp(fixed, "may    be changed"));
	CHECK_ERRNO(pread(fd, buf, 1, 8), EIO);
	munmap(fixed, 4096);
	close(fd);
}

static void io_counts(void)
{
	char c = 'x';
	int fd = open("/dev/null", O_RDWR);

	REQUIRE(slurp("/proc/self/io") > 0);
	long wchar = number("wchar"), syscw = number("syscw");
	for (int i = 0; i < 10; i++)
		CHECK_EQ(write(fd, &c, 1), 1);
	REQUIRE(slurp("/proc/self/io") > 0);
	CHECK_EQ(number("wchar") - wchar, 10);
	CHECK_EQ(number("syscw") - syscw, 10);
	close(fd);
}

static void scratch(void)
{
	abi_scratch();
}

/* A name cannot end its line, and an escaped one reads back as it was. */
static void name_in_status(void)
{
	char old[16], line[64] = "";

	CHECK_EQ(prctl(PR_GET_NAME, old), 0);
	CHECK_EQ(prctl(PR_SET_NAME, "a\\b\nc d"), 0);
	FILE *f = fopen("/proc/self/status", "r");
	CHECK(f && fgets(line, sizeof(line), f));
	if (f)
		fclose(f);
	CHECK(!strcmp(line, "Name:\ta\\\\b\\nc d\n"));
	CHECK_EQ(prctl(PR_SET_NAME, old), 0);
}

/* ---- PR_SET_MM: what is told of an address space changes, within an order ---- */
static uint64_t stat_number(int n)
{
	const char *p;
	if (slurp("/proc/self/stat") <= 0 || !(p = strrchr(text, ')')))
		return 0;
	for (p += 2; n > 3; n--)
		p += strcspn(p, " ") + 1;
	return strtoull(p, NULL, 10);
}

static struct prctl_mm_map layout(void)
{
	return (struct prctl_mm_map){
		.start_code = stat_number(26), .end_code = stat_number(27), .start_stack = stat_number(28),
		.start_data = stat_number(45), .end_data = stat_number(46), .start_brk = stat_number(47),
		.brk = (uint64_t)syscall(SYS_brk, 0), .arg_start = stat_number(48), .arg_end = stat_number(49),
		.env_start = stat_number(50), .env_end = stat_number(51), .exe_fd = (uint32_t)-1,
	};
}

static int set_layout(const struct prctl_mm_map *m) { return prctl(PR_SET_MM, PR_SET_MM_MAP, m, sizeof(*m), 0); }
static int set_one(int what, uint64_t v) { return prctl(PR_SET_MM, what, v, 0, 0); }

static void do_memory_layout(void)
{
	struct prctl_mm_map good = layout(), m;
	char other[] = "another\0name"; /* Linux shows anonymous memory only */
	uint64_t aux[4] = {6, 4096, 0, 0}, read_back[4] = {0};
	uint32_t size = 0;

	if (prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0)) {
		CHECK_EQ(errno, EINVAL); /* a Linux without CONFIG_CHECKPOINT_RESTORE */
		return;
	}
	CHECK_EQ(size, sizeof(m));
	CHECK_EQ(set_layout(&good), 0);
	CHECK_ERRNO(prctl(PR_SET_MM, PR_SET_MM_MAP, &good, sizeof(m) - 8, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_MM, PR_SET_MM_MAP, BAD_POINTER, sizeof(m), 0), EFAULT);
	CHECK_ERRNO(prctl(PR_SET_MM, PR_SET_MM_MAP, &good, sizeof(m), 1), EINVAL);
#define WRONG(field, value) (m = good, m.field = (value), CHECK_ERRNO(set_layout(&m), EINVAL))
#define RIGHT(field, value) (m = good, m.field = (value), CHECK_EQ(set_layout(&m), 0))
	WRONG(start_code, good.end_code);
	WRONG(start_data, good.end_data + 1);
	RIGHT(start_data, good.end_data);
	WRONG(start_brk, good.brk + 1);
	WRONG(arg_start, good.arg_end + 1);
	RIGHT(arg_start, good.arg_end);
	WRONG(env_end, good.env_start - 1);
	WRONG(start_stack, UINT64_MAX);
	RIGHT(start_stack, 0x10000000);
	WRONG(auxv_size, 16); /* without a vector */
	m = good;
	m.auxv = (void *)aux;
	m.auxv_size = 1 << 20;
	CHECK_ERRNO(set_layout(&m), EINVAL);
	m.auxv = BAD_POINTER;
	m.auxv_size = sizeof(aux);
	CHECK_ERRNO(set_layout(&m), EFAULT);
	/* and it is told */
	m = good;
	m.arg_start = (uint64_t)other;
	m.arg_end = (uint64_t)other + sizeof(other);
	m.auxv = (void *)aux;
	m.auxv_size = sizeof(aux);
	CHECK_EQ(set_layout(&m), 0);
	CHECK(slurp("/proc/self/cmdline") == sizeof(other) && !memcmp(text, other, sizeof(other)));
	int fd = open("/proc/self/auxv", O_RDONLY);
	CHECK(read(fd, read_back, sizeof(read_back)) == 32 && !memcmp(read_back, aux, 32));
	close(fd);
	CHECK_EQ(set_layout(&good), 0);

	if (set_one(PR_SET_MM_START_CODE, good.start_code)) {
		CHECK_EQ(errno, EPERM); /* each by itself is CAP_SYS_RESOURCE's */
		return;
	}
	CHECK_ERRNO(set_one(PR_SET_MM_START_CODE, good.end_code), EINVAL);
	CHECK_ERRNO(set_one(PR_SET_MM_START_BRK, good.brk + 1), EINVAL);
	CHECK_ERRNO(set_one(PR_SET_MM_ARG_END, good.arg_start - 1), EINVAL);
	CHECK_EQ(set_one(PR_SET_MM_ARG_END, good.arg_start), 0);
	CHECK_ERRNO(set_one(PR_SET_MM_ARG_END, 0x7fffffffe000), EFAULT); /* nothing is there */
	CHECK_EQ(set_one(PR_SET_MM_ARG_END, good.arg_end), 0);
	CHECK_ERRNO(set_one(99, good.start_code), EINVAL);
	CHECK_EQ(prctl(PR_SET_MM, PR_SET_MM_AUXV, aux, sizeof(aux), 0), 0);
	CHECK_ERRNO(prctl(PR_SET_MM, PR_SET_MM_AUXV, aux, 1 << 20, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_MM, PR_SET_MM_AUXV, BAD_POINTER, 16, 0), EFAULT);
}

static void memory_layout(void) { CHECK_EQ(abi_child(do_memory_layout), 0); }

ABI_MAIN(ABI_TEST(scratch), ABI_TEST(stat_file), ABI_TEST(status_file), ABI_TEST(maps_file), ABI_TEST(descriptors),
         ABI_TEST(mount_table), ABI_TEST(threads_and_zombies), ABI_TEST(small_files), ABI_TEST(mem_file),
         ABI_TEST(io_counts), ABI_TEST(name_in_status), ABI_TEST(memory_layout))
