/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsc boot: the sandbox process. It has been started in its namespaces with its descriptors (sandbox.c); it empties its
 * root, takes the mounts from the gofer and becomes the VMM.
 */
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/command.h"
#include "oci/gofer/proto.h"
#include "oci/launch.h"
#include "oci/namespace.h"
#include "oci/network.h"
#include "oci/status.h"
#include "oci/util.h"
#include "oci/uts.h"
#include "vmm/vmm.h"

#define MAX_CPUS 256

/* A foreground sandbox dies with the runsc that started it, also if that happened a moment ago. Who is our parent /proc knows:
 * getppid() cannot name a process outside our pid namespace. */
static void follow_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (process_parent() != parent)
		_exit(EXIT_RUNTIME);
}

static unsigned cpu_count(unsigned wanted)
{
	cpu_set_t set;
	unsigned n = wanted;

	if (!n && sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > MAX_CPUS ? MAX_CPUS : n;
}

static struct error *read_config(const void *t, struct vmm_config *c)
{
	int node = fdt_path_offset(t, "/boot"), len = 0;
	const fdt32_t *readonly = fdt_getprop(t, node, "mount-readonly", &len);

	if (node < 0 || !launch_string(t, node, "platform") || !launch_string(t, node, "sentry") || !launch_string(t, node, "tsc") || !readonly)
		return error_new("the launch tree has no /boot");
	c->kvm_fd = launch_u32(t, node, "kvm-fd", -1);
	c->platform = launch_string(t, node, "platform");
	c->sentry = launch_string(t, node, "sentry");
	c->tsc = launch_string(t, node, "tsc");
	c->nr_cpus = cpu_count(launch_u32(t, node, "cpus", 0));
	c->memory_limit = launch_u64(t, node, "memory", 0);
	c->control_fd = launch_u32(t, node, "control-fd", -1);
	c->ready_fd = launch_u32(t, node, "status-fd", -1);
	c->gofer_fd = launch_u32(t, node, "gofer-fd", -1);
	c->debug_log_fd = launch_u32(t, node, "debug-log-fd", -1);
	c->directfs = launch_flag(t, node, "directfs");
	c->file_access_shared = launch_flag(t, node, "file-access-shared");
	c->host_network = launch_flag(t, node, "host-network");
	c->allow_suid = launch_flag(t, node, "allow-suid");
	c->debug = launch_flag(t, node, "debug");
	c->strace = launch_flag(t, node, "strace");
	c->nr_io = launch_u32(t, node, "nr-io", 0);
	if (c->nr_io > VMM_MAX_IO || len / sizeof(*readonly) > VMM_MAX_MOUNTS)
		return error_new("the launch tree names too many descriptors");
	for (unsigned i = 0; i < c->nr_io; i++)
		c->io_fd[i] = i < 3 ? i : launch_u32(t, node, "first-preserved", 3) + i - 3;
	c->nr_mounts = len / sizeof(*readonly);
	for (unsigned i = 0; i < VMM_MAX_MOUNTS; i++) {
		c->mount_fd[i] = -1;
		c->mount_flags[i] = i < c->nr_mounts && fdt32_ld(&readonly[i]) ? VMM_MOUNT_READONLY : 0;
	}
	c->container_fdt = t;
	c->container_fdt_len = fdt_totalsize(t);
	return NULL;
}

static struct error *boot(int *status)
{
	static struct vmm_config c;
	struct error *e;
	const void *t;
	int node, err;

	e = launch_read(SPAWN_FIRST_FD, &t);
	if (!e)
		e = read_config(t, &c);
	if (e)
		return e;
	node = fdt_path_offset(t, "/boot");
	status_attach(c.ready_fd);
	c.foreground = launch_flag(t, node, "foreground");
	if (c.foreground)
		follow_parent(launch_u32(t, node, "parent", 0));
	umask(0);
	raise_nofile();
	prctl(PR_SET_NAME, "runsc-sandbox");
	vmm_prepare_io(&c);
	uts_prepare(launch_string(t, fdt_path_offset(t, "/container"), "hostname"), launch_string(t, fdt_path_offset(t, "/container"), "domainname"));
	if (c.host_network && launch_flag(t, node, "own-network"))
		e = network_prepare(t, node);
	if (e)
		return e;
	c.statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	c.meminfo_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	vmm_look_at_host(&c);
	err = namespace_empty_root(launch_string(t, node, "empty-root-on"));
	if (err)
		return error_errno(err, "cannot empty the sandbox's root");
	close(SPAWN_FIRST_FD);
	/* Memory is charged to the cgroup of whoever touches it first, and helper processes are born into their parent's:
	 * nothing of either before runsc has moved us. */
	if (launch_flag(t, node, "wait-for-go") && !status_wait_for_go())
		return error_new("runsc has died");
	e = gofer_receive_mounts(c.gofer_fd, c.nr_mounts, c.mount_fd, c.mount_flags);
	if (e)
		return e;
	err = vmm_run(&c);
	if (err < 0 && vmm_reason())
		return error_new("%s", vmm_reason());
	if (err < 0)
		return error_errno(err, "the sandbox failed");
	*status = WIFSIGNALED(err) ? 128 + WTERMSIG(err) : WEXITSTATUS(err);
	return NULL;
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct error *e = boot(status);

	if (e && status_send_error(e)) {
		error_free(e);
		e = NULL;
		*status = EXIT_RUNTIME;
	}
	return e;
}

const struct command cmd_boot = {.name = "boot", .args = "ID", .min_args = 1, .max_args = 1, .run = run};
