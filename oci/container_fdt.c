/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/container_fdt.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/util.h"
#include "vmm/vmm.h"

bool container_root_readonly(const struct launch *l)
{
	return l->spec->root_readonly || l->overlay != OVERLAY_NONE;
}

bool container_mount_readonly(const struct launch *l, unsigned i)
{
	return l->spec->mounts[i].readonly || l->overlay == OVERLAY_ALL;
}

static void put_identity(struct tree *t, const struct spec *s)
{
	static const char *const cap_names[CAPS_SETS] = {
	    [CAPS_EFFECTIVE] = "caps-effective", [CAPS_PERMITTED] = "caps-permitted",
	    [CAPS_INHERITABLE] = "caps-inheritable", [CAPS_BOUNDING] = "caps-bounding", [CAPS_AMBIENT] = "caps-ambient",
	};
	fdt32_t *gids = xcalloc(s->ngids, sizeof(*gids));

	tree_u32(t, "uid", s->uid);
	tree_u32(t, "gid", s->gid);
	for (unsigned i = 0; i < s->ngids; i++)
		gids[i] = cpu_to_fdt32(s->gids[i]);
	tree_prop(t, "additional-gids", gids, s->ngids * sizeof(*gids));
	free(gids);
	tree_u32(t, "umask", s->umask);
	for (unsigned i = 0; i < CAPS_SETS; i++)
		tree_u64(t, cap_names[i], s->caps[i]);
	if (s->no_new_privs)
		tree_flag(t, "no-new-privs");
}

static void put_rlimits(struct tree *t, const struct spec *s)
{
	const unsigned cells = 5;
	fdt32_t *v = xcalloc(s->nrlimits * cells, sizeof(*v));

	for (unsigned i = 0; i < s->nrlimits; i++) {
		const struct spec_rlimit *r = &s->rlimits[i];

		v[i * cells] = cpu_to_fdt32(r->resource);
		v[i * cells + 1] = cpu_to_fdt32(r->soft >> 32);
		v[i * cells + 2] = cpu_to_fdt32((uint32_t)r->soft);
		v[i * cells + 3] = cpu_to_fdt32(r->hard >> 32);
		v[i * cells + 4] = cpu_to_fdt32((uint32_t)r->hard);
	}
	if (s->nrlimits)
		tree_prop(t, "rlimits", v, s->nrlimits * cells * sizeof(*v));
	free(v);
}

static void put_io(struct tree *t, const struct launch *l)
{
	fdt32_t io[VMM_MAX_IO];

	for (uint32_t i = 0; i < l->nr_io; i++)
		io[i] = cpu_to_fdt32(i);
	tree_prop(t, "io", io, l->nr_io * sizeof(io[0]));
}

static void put_mount(struct tree *t, const struct launch *l, unsigned i, unsigned *gofer_index)
{
	const struct spec_mount *m = &l->spec->mounts[i];
	bool gofer = strcmp(m->type, "gofer") == 0;
	char name[32];

	snprintf(name, sizeof(name), "mount@%u", i);
	tree_node(t, name);
	tree_string(t, "destination", m->destination);
	tree_string(t, "type", m->type);
	tree_string(t, "source", m->source);
	tree_strings(t, "options", m->options);
	if (m->readonly)
		tree_flag(t, "readonly");
	if (gofer)
		tree_u32(t, "mount", (*gofer_index)++);
	if (gofer && l->overlay == OVERLAY_ALL && !m->readonly)
		tree_flag(t, "overlay");
	tree_node_end(t);
}

void container_fdt_process(struct tree *t, const struct spec *s)
{
	tree_strings(t, "args", s->args);
	tree_strings(t, "env", s->env);
	tree_string(t, "cwd", s->cwd);
	put_identity(t, s);
	tree_u32(t, "terminal", s->terminal);
	put_rlimits(t, s);
	tree_u32(t, "oom-score-adj", (uint32_t)s->oom_score_adj);
	if (s->sched_policy >= 0) {
		tree_u32(t, "sched-policy", (uint32_t)s->sched_policy);
		tree_u32(t, "sched-priority", (uint32_t)s->sched_priority);
		tree_u32(t, "nice", (uint32_t)s->sched_nice);
	}
	tree_u32(t, "io-priority", s->io_priority);
}

static void put_devices(struct tree *t, const struct spec *s)
{
	tree_node(t, "devices");
	for (unsigned i = 0; i < s->ndevices; i++) {
		const struct spec_device *d = &s->devices[i];
		char name[32];

		snprintf(name, sizeof(name), "device@%u", i);
		tree_node(t, name);
		tree_string(t, "path", d->path);
		tree_u32(t, "mode", d->mode);
		tree_u32(t, "major", d->major);
		tree_u32(t, "minor", d->minor);
		tree_u32(t, "uid", d->uid);
		tree_u32(t, "gid", d->gid);
		tree_node_end(t);
	}
	tree_node_end(t);
}

/* What the linux object says of the container as a whole. */
static void put_linux(struct tree *t, const struct spec *s)
{
	tree_u32(t, "personality", s->personality);
	tree_strings(t, "masked-paths", s->masked_paths);
	tree_strings(t, "readonly-paths", s->readonly_paths);
	tree_strings(t, "sysctls", s->sysctls);
	if (s->root_propagation)
		tree_string(t, "root-propagation", s->root_propagation);
	if (s->seccomp)
		tree_prop(t, "seccomp", s->seccomp, s->seccomp_len);
	if (s->seccomp_log)
		tree_flag(t, "seccomp-log");
}

static void put_limit(struct tree *t, const char *name, int64_t v)
{
	if (res_set(v))
		tree_u64(t, name, res_limited(v) ? v : 0);
}

void container_limits_write(struct tree *t, const struct resources *r)
{
	put_limit(t, "memory-limit", r->memory.limit);
	put_limit(t, "pids-limit", r->pids);
	put_limit(t, "cpu-shares", r->cpu.shares);
	put_limit(t, "cpu-quota", r->cpu.quota);
	put_limit(t, "cpu-period", r->cpu.period);
	if (r->cpu.cpus)
		tree_string(t, "cpuset-cpus", r->cpu.cpus);
	if (r->cpu.mems)
		tree_string(t, "cpuset-mems", r->cpu.mems);
	if (r->memory.disable_oom_killer)
		tree_flag(t, "oom-disabled");
}

void container_fdt_write(struct tree *t, const struct launch *l)
{
	const struct spec *s = l->spec;
	unsigned gofer_index = 1;

	tree_node(t, "container");
	tree_string(t, "id", l->id);
	container_fdt_process(t, s);
	if (s->hostname)
		tree_string(t, "hostname", s->hostname);
	container_limits_write(t, &s->resources);
	if (l->cgroup_v2)
		tree_flag(t, "cgroup-v2");
	if (s->domainname)
		tree_string(t, "domainname", s->domainname);
	put_linux(t, s);
	put_io(t, l);
	tree_u32(t, "namespaces", s->own_namespaces); /* for a container of a pod */
	if (l->mortal_init)
		tree_flag(t, "mortal-init");
	if (l->hold)
		tree_flag(t, "hold");
	put_devices(t, s);
	tree_node(t, "root");
	tree_string(t, "type", l->overlay == OVERLAY_NONE ? "gofer" : "overlay");
	tree_u32(t, "mount", 0);
	if (s->root_readonly)
		tree_flag(t, "readonly");
	tree_node_end(t);
	tree_node(t, "mounts");
	for (unsigned i = 0; i < s->nmounts; i++)
		put_mount(t, l, i, &gofer_index);
	tree_node_end(t);
	tree_node_end(t);
}
