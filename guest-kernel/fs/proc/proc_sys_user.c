// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/sys/user: how many namespaces of each kind may live in a user namespace and below (namespaces(7)): that of whoever
 * opened the file. Who writes needs CAP_SYS_RESOURCE there.
 */
#include "fs/proc/proc.h"
#include "lib/string.h"
#include "task/user_ns.h"

/* The files stand in the order of enum ns_kind. */
static enum ns_kind kind_of(const struct pseudo_ref *ref) { return (enum ns_kind)(ref->entry - proc_sys_user_files); }

static int show(struct seq *s, const struct pseudo_ref *ref, struct file *file)
{
	seq_printf(s, "%u\n", READ_ONCE(file->cred->user_ns->max[kind_of(ref)]));
	return 0;
}

static ssize_t_ store(const struct pseudo_ref *ref, struct file *file, char *text, size_t len)
{
	struct user_ns *ns = file->cred->user_ns;
	bool negative;
	uint64_t v;

	if (!ns_capable(ns, CAP_SYS_RESOURCE))
		return -EPERM;
	ssize_t_ n = proc_sys_number(text, len, &negative, &v);
	if (n < 0 || negative || v > INT32_MAX)
		return -EINVAL;
	WRITE_ONCE(ns->max[kind_of(ref)], (uint32_t)v);
	return n;
}

/* Who has CAP_SYS_RESOURCE in his user namespace may write, whatever his ids. */
static uint32_t permissions(const struct pseudo_ref *ref)
{
	return ns_capable(current->cred->user_ns, CAP_SYS_RESOURCE) ? 0666 : 0444;
}

#define LIMIT(name) {"max_" name "_namespaces", FILE_RW, .show_opened = show, .store_opened = store, .permissions = permissions, .sysctl = true}

const struct pseudo_entry proc_sys_user_files[] = {
	[NS_CGROUP] = LIMIT("cgroup"), [NS_IPC] = LIMIT("ipc"), [NS_MNT] = LIMIT("mnt"), [NS_NET] = LIMIT("net"),
	[NS_PID] = LIMIT("pid"), [NS_TIME] = LIMIT("time"), [NS_USER] = LIMIT("user"), [NS_UTS] = LIMIT("uts"), [NS_KINDS] = {0},
};
