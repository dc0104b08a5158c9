// SPDX-License-Identifier: Apache-2.0
/* The root of proc: process directories, self, thread-self, and the files of proc_misc.c. */
#include "fs/proc/proc.h"

#include <linux/magic.h>

#include "lib/string.h"

static char *number_link(const char *fmt, int a, int b)
{
	char buf[48];
	snprintf(buf, sizeof(buf), fmt, a, b);
	char *s = kstrdup(buf);
	return s ? s : ERR_PTR(-ENOMEM);
}

static char *self_link(const struct pseudo_ref *ref)
{
	int pid = proc_nr(ref, current->proc->pid);

	return pid ? number_link("%d", pid, 0) : ERR_PTR(-ENOENT);
}

static char *thread_self_link(const struct pseudo_ref *ref)
{
	int pid = proc_nr(ref, current->proc->pid);

	return pid ? number_link("%d/task/%d", pid, proc_nr(ref, current->tid)) : ERR_PTR(-ENOENT);
}

static char *mounts_link(const struct pseudo_ref *ref)
{
	char *s = kstrdup("self/mounts");
	return s ? s : ERR_PTR(-ENOMEM);
}

static char *net_link(const struct pseudo_ref *ref)
{
	char *s = kstrdup("self/net");
	return s ? s : ERR_PTR(-ENOMEM);
}

static const struct pseudo_entry self_entry = {"self", LINK, .link = self_link};
static const struct pseudo_entry thread_self_entry = {"thread-self", LINK, .link = thread_self_link};
static const struct pseudo_entry mounts_entry = {"mounts", LINK, .link = mounts_link};
static const struct pseudo_entry net_entry = {"net", LINK, .link = net_link};
static const struct pseudo_entry *const root_links[] = {&self_entry, &thread_self_entry, &mounts_entry, &net_entry,
                                                        &proc_sys_dir};

/* The decimal number that name is, or -1. */
static int parse_pid(const char *name, size_t len)
{
	if (!len || len > 9 || (len > 1 && name[0] == '0'))
		return -1;
	int n = 0;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return n;
}

static int root_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(root_links); i++) {
		const struct pseudo_entry *e = root_links[i];
		if (strlen(e->name) == len && !memcmp(e->name, name, len)) {
			*out = (struct pseudo_ref){.entry = e};
			return 0;
		}
	}
	int pid = parse_pid(name, len);
	struct task *t = pid > 0 ? task_find_ns(pid, proc_pid_ns(dir)) : NULL;
	if (!t)
		return -ENOENT;
	/* A thread's number names its directory too, although readdir shows leaders only (proc(5)). */
	*out = (struct pseudo_ref){.entry = &proc_pid_dir, .task = t};
	return 0;
}

/* Cookies: the links first, then process numbers. */
static bool root_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type)
{
	if (*cookie < ARRAY_SIZE(root_links)) {
		const struct pseudo_entry *e = root_links[*cookie];
		strlcpy(name, e->name, 32);
		*type = S_ISDIR(e->mode) ? 4 : 10;
		return true;
	}
	int from = (int)(*cookie - ARRAY_SIZE(root_links)), best = 0;
	spin_lock(&tasklist_lock);
	struct process *p;
	list_for_each_entry(p, &process_list, all_link) {
		int nr = proc_nr(dir, p->pid);
		if (nr && nr >= from && (!best || nr < best))
			best = nr;
	}
	spin_unlock(&tasklist_lock);
	if (!best)
		return false;
	snprintf(name, 32, "%d", best);
	*type = 4;
	*cookie = ARRAY_SIZE(root_links) + (uint64_t)best;
	return true;
}

static const struct pseudo_entry root_entry = {
	"/", DIR_RX, .children = proc_misc_files, .lookup = root_lookup, .next = root_next};

static void proc_put_super(struct super_block *sb)
{
	pid_ns_put(sb->private);
}

static const struct super_ops proc_sops = {PSEUDO_SUPER_OPS, .put_super = proc_put_super};

static struct super_block *proc_mount(const struct fs_type *type, const char *source, const char *data, uint32_t flags)
{
	struct pid_ns *ns = pid_ns_get(current->proc->pid_ns);
	struct super_block *sb = pseudo_mount_private(type, &root_entry, PROC_SUPER_MAGIC, &proc_sops, ns);

	if (IS_ERR(sb))
		pid_ns_put(ns);
	return sb;
}

const struct fs_type proc_type = {.name = "proc", .nodev = true, .shows_same = true, .owner = ns_owner_pid,
	.mount = proc_mount};
