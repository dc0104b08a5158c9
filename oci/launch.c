/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/launch.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/window.h"
#include "oci/container_fdt.h"
#include "oci/network.h"
#include "oci/tree.h"
#include "oci/util.h"
#include "vmm/vmm.h"

static void put_fd(struct tree *t, const char *name, int fd)
{
	if (fd >= 0)
		tree_u32(t, name, fd);
}

static void put_flag(struct tree *t, const char *name, bool on)
{
	if (on)
		tree_flag(t, name);
}

static uint64_t host_memory(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

static void put_boot(struct tree *t, const struct launch *l)
{
	const struct options *o = l->options;
	fdt32_t readonly[VMM_MAX_MOUNTS];
	unsigned n = 0;

	tree_node(t, "boot");
	tree_string(t, "platform", l->platform);
	tree_string(t, "sentry", o->sentry);
	tree_string(t, "tsc", o->tsc);
	tree_u32(t, "cpus", o->cpus);
	tree_u64(t, "memory", o->memory ? o->memory : host_memory());
	/* Root of the container's user namespace may not reach the directory of our state. */
	tree_string(t, "empty-root-on", l->spec->uid_map ? "/proc" : l->work_dir);
	tree_u32(t, "nr-io", l->nr_io);
	tree_u32(t, "first-preserved", l->first_preserved);
	readonly[n++] = cpu_to_fdt32(container_root_readonly(l));
	for (unsigned i = 0; i < l->spec->nmounts && n < VMM_MAX_MOUNTS; i++)
		if (strcmp(l->spec->mounts[i].type, "gofer") == 0)
			readonly[n++] = cpu_to_fdt32(container_mount_readonly(l, i));
	tree_prop(t, "mount-readonly", readonly, n * sizeof(readonly[0]));
	put_flag(t, "directfs", o->directfs);
	put_flag(t, "file-access-shared", l->shared_files);
	put_flag(t, "host-network", strcmp(o->network, "host") == 0);
	put_flag(t, "own-network", network_is_own(l->spec));
	tree_strings(t, "sysctls", l->spec->sysctls);
	put_flag(t, "allow-suid", o->allow_suid);
	put_flag(t, "debug", o->debug);
	put_flag(t, "strace", o->strace);
	put_flag(t, "foreground", l->foreground);
	tree_u32(t, "parent", process_self());
	put_flag(t, "wait-for-go", l->wait_for_go);
	put_fd(t, "gofer-fd", l->boot.gofer);
	put_fd(t, "control-fd", l->boot.control);
	put_fd(t, "status-fd", l->boot.status);
	put_fd(t, "kvm-fd", l->boot.kvm);
	put_fd(t, "debug-log-fd", l->boot.debug_log);
	tree_node_end(t);
}

static void put_gofer_mount(struct tree *t, unsigned index, const char *source, bool readonly, bool recursive,
                            char *const *options)
{
	char name[32];

	snprintf(name, sizeof(name), "mount@%u", index);
	tree_node(t, name);
	tree_string(t, "source", source);
	put_flag(t, "readonly", readonly);
	put_flag(t, "recursive", recursive);
	for (unsigned i = 0; options && options[i]; i++)
		if (strcmp(options[i], "nosuid") == 0 || strcmp(options[i], "noexec") == 0 || strcmp(options[i], "noatime") == 0)
			tree_flag(t, options[i]);
	tree_node_end(t);
}

static void put_gofer(struct tree *t, const struct launch *l)
{
	const struct spec *s = l->spec;
	unsigned n = 0;

	tree_node(t, "gofer");
	tree_string(t, "work-dir", l->work_dir);
	put_flag(t, "directfs", l->options->directfs);
	put_flag(t, "hide-system", l->hide_system);
	if (l->memory_cgroup)
		tree_string(t, "oom-dir", l->memory_cgroup);
	put_flag(t, "wait-for-go", l->wait_for_go);
	if (l->hide_path)
		tree_string(t, "hide-path", l->hide_path);
	put_fd(t, "sandbox-fd", l->gofer.sandbox);
	put_fd(t, "status-fd", l->gofer.status);
	put_fd(t, "userns-fd", l->gofer.userns);
	put_gofer_mount(t, n++, s->root, container_root_readonly(l), true, NULL);
	for (unsigned i = 0; i < s->nmounts; i++)
		if (strcmp(s->mounts[i].type, "gofer") == 0)
			put_gofer_mount(t, n++, s->mounts[i].source, container_mount_readonly(l, i), s->mounts[i].recursive,
			                s->mounts[i].options);
	tree_node_end(t);
}

static struct error *check_limits(const struct launch *l)
{
	unsigned binds = 1;

	for (unsigned i = 0; i < l->spec->nmounts; i++)
		binds += strcmp(l->spec->mounts[i].type, "gofer") == 0;
	if (binds > VMM_MAX_MOUNTS)
		return error_new("mounts: %u bind mounts are more than the %d that are supported", binds - 1, VMM_MAX_MOUNTS - 1);
	return NULL;
}

struct error *launch_write(const struct launch *l, int *out)
{
	AUTO_FD fd = memfd_create("launch", MFD_CLOEXEC);
	struct error *e = check_limits(l);
	struct tree t;
	int len, err;

	if (e)
		return e;
	if (fd < 0)
		return error_errno(errno, "memfd_create");
	tree_begin(&t);
	container_fdt_write(&t, l);
	put_boot(&t, l);
	put_gofer(&t, l);
	len = tree_end(&t);
	/* The boot tree holds a little more than the container's node. */
	if (len == -E2BIG || len > (int)(BOOT_FDT_MAX - 8192))
		return error_new("process.args and process.env are too long: %lu KiB at most are supported", (BOOT_FDT_MAX - 8192) >> 10);
	if (len < 0)
		return error_errno(len, "cannot write the launch tree");
	err = write_all(fd, t.buf, len);
	if (err < 0)
		return error_errno(err, "cannot write the launch tree");
	*out = take_fd(&fd);
	return NULL;
}

struct error *launch_read(int fd, const void **tree)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return error_errno(errno, "launch tree");
	p = st.st_size > 0 ? mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	if (p == MAP_FAILED || fdt_check_header(p) || fdt_totalsize(p) > st.st_size)
		return error_new("the launch tree is not one: boot and gofer are started by runsc itself");
	*tree = p;
	return NULL;
}

bool launch_flag(const void *t, int node, const char *name)
{
	return fdt_getprop(t, node, name, NULL) != NULL;
}

uint32_t launch_u32(const void *t, int node, const char *name, uint32_t dflt)
{
	int len;
	const fdt32_t *v = fdt_getprop(t, node, name, &len);

	return v && len == sizeof(*v) ? fdt32_ld(v) : dflt;
}

uint64_t launch_u64(const void *t, int node, const char *name, uint64_t dflt)
{
	int len;
	const fdt64_t *v = fdt_getprop(t, node, name, &len);

	return v && len == sizeof(*v) ? fdt64_ld(v) : dflt;
}

const char *launch_string(const void *t, int node, const char *name)
{
	int len;
	const char *v = fdt_getprop(t, node, name, &len);

	return v && len > 0 && !v[len - 1] ? v : NULL;
}
