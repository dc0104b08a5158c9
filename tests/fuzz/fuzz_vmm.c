/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "fuzz_vmm.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/clock.h"
#include "vmm/crash.h"
#include "vmm/events.h"
#include "vmm/file_mounts.h"
#include "vmm/file_windows.h"
#include "vmm/memory.h"
#include "vmm/vcpu.h"

char fuzz_dir[64] = "/tmp/fuzz-vmm-XXXXXX";
struct vmm vmm = {.stop_fd = -1};
__thread struct vmm_vcpu *vcpu_self __attribute__((tls_model("initial-exec")));

static int add_memory(uint64_t pa, uint64_t len) { return 0; }
static void memory_changed(uint64_t pa, uint64_t len) {}
static int as_create(uint64_t cr3) { return 0; }
static int as_destroy(struct platform_vcpu *pv, uint64_t cr3) { return 0; }
static int as_map(struct platform_vcpu *pv, uint64_t cr3, const struct hc_map *maps, unsigned n) { return 0; }
static int as_flush(struct platform_vcpu *pv, uint64_t cr3, const struct hc_flush *f) { return 0; }
static const struct platform_ops ops = {
	.name = "none", .add_memory = add_memory, .memory_changed = memory_changed, .as_create = as_create,
	.as_destroy = as_destroy, .as_map = as_map, .as_flush = as_flush,
};

void vmm_stop(int result) {}
void vmm_fail(const char *fmt, ...) {}
bool vmm_debug;
void vmm_log(int level, const char *fmt, ...) {}
const struct vmm_vcpu *vcpu_get(unsigned id) { return NULL; }
void vcpu_kick(unsigned id) {}
void vcpu_kick_any(void) {}
void vcpu_idle(struct vmm_vcpu *vv, uint64_t deadline) {}
int vcpu_set_timer(struct vmm_vcpu *vv, uint64_t deadline) { return 0; }
int vcpu_start(unsigned id) { return 0; }
void vcpu_tell_refused(const char *reason) {}
void vcpu_tell_ready(void) {}
void crash_backtrace(uint64_t rip, uint64_t rbp) {}
void clock_refresh(void) {}
int64_t clock_read(int clockid) { return 1; }
const char *clock_without_tsc(void) { return NULL; }
bool vmm_shows_memory(void) { return true; }

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) { return remove(path); }

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", fuzz_dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ENSURE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

void fuzz_dir_reset(void)
{
	char mount[128];

	snprintf(mount, sizeof(mount), "%s/mount", fuzz_dir);
	/* What is in it, not the directory, which is open. */
	if (mkdir(mount, 0755)) {
		char command[256];

		chmod(mount, 0755);
		snprintf(command, sizeof(command), "find %s -mindepth 1 -delete", mount);
		ENSURE(system(command) == 0);
	}
	put("mount/a", "content of a\n");
	ENSURE(mkdir(in_dir("mount/d"), 0755) == 0);
	put("mount/d/b", "b\n");
	ENSURE(symlink("../secret", in_dir("mount/l")) == 0 && symlink("..", in_dir("mount/up")) == 0);
	ENSURE(mkfifo(in_dir("mount/p"), 0644) == 0);
}

static void fuzz_dir_remove(void) { nftw(fuzz_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

void fuzz_dir_init(void)
{
	ENSURE(mkdtemp(fuzz_dir));
	put("secret", "secret\n");
	fuzz_dir_reset();
	atexit(fuzz_dir_remove);
}

void fuzz_begin(void)
{
	static const struct rlimit r = {1 << 20, 1 << 20};
	static bool done;

	if (done)
		return;
	done = true;
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &r);
}

void fuzz_dir_check(void)
{
	char text[16] = "";
	int fd = open(in_dir("secret"), O_RDONLY);
	struct stat st, dir;

	ENSURE(fd >= 0 && read(fd, text, sizeof(text)) == 7 && !strcmp(text, "secret\n"));
	ENSURE(fstat(fd, &st) == 0 && st.st_nlink == 1 && (st.st_mode & 07777) == 0644);
	close(fd);
	ENSURE(stat(fuzz_dir, &dir) == 0 && dir.st_nlink == 3); /* itself, its name, mount/.. */
}

void fuzz_vmm_init(int control_fd)
{
	fuzz_dir_init();
	vmm.ops = &ops;
	vmm.cfg = (struct vmm_config){.nr_cpus = 2, .nr_mounts = 1, .directfs = true, .gofer_fd = -1, .control_fd = control_fd};
	vmm.cfg.mount_fd[0] = open(in_dir("mount"), O_PATH | O_DIRECTORY);
	ENSURE(file_mounts_init() == 0);
	vmm.stop_fd = eventfd(0, EFD_NONBLOCK);
	file_windows_enable();
	ENSURE(memory_init(RAM_CHUNK_SIZE) == 0 && memory_attach_platform() == 0);
	vmm.shared = (struct boot_shared *)(DIRECT_BASE + BOOT_SHARED_PA);
	ENSURE(events_init() == 0);
}
