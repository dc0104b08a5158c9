// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/ns: links to the namespaces that a task is in (namespaces(7)). */
#include "fs/nsfs.h"
#include "fs/proc/proc.h"
#include "lib/string.h"

static const struct {
	const char *name;
	enum ns_kind kind;
	bool children;
} links[] = {
	{"cgroup", NS_CGROUP, false},
	{"ipc", NS_IPC, false},
	{"mnt", NS_MNT, false},
	{"net", NS_NET, false},
	{"pid", NS_PID, false},
	{"pid_for_children", NS_PID, true},
	{"time", NS_TIME, false},
	{"time_for_children", NS_TIME, true},
	{"user", NS_USER, false},
	{"uts", NS_UTS, false},
};

/* A reference, or ERR_PTR: a zombie is in no namespaces any more, but for those that its ids belong to. */
static struct ns_common *get(const struct pseudo_ref *ref)
{
	int err = proc_may_access(ref->task);

	if (err)
		return ERR_PTR(err);
	struct ns_common *ns = task_namespace(ref->task, links[ref->number].kind, links[ref->number].children);
	/* Children have no namespace to go to before its init exists. */
	if (ns && links[ref->number].kind == NS_PID && links[ref->number].children &&
	    !READ_ONCE(container_of(ns, struct pid_ns, ns)->init)) {
		ns_put(ns);
		ns = NULL;
	}
	return ns ? ns : ERR_PTR(-ENOENT);
}

static char *ns_link(const struct pseudo_ref *ref)
{
	char buf[40];
	struct ns_common *ns = get(ref);

	if (IS_ERR(ns))
		return (char *)ns;
	snprintf(buf, sizeof(buf), "%s:[%u]", ns_name(ns->kind), ns->inum);
	ns_put(ns);
	char *s = kstrdup(buf);
	return s ? s : ERR_PTR(-ENOMEM);
}

static int ns_follow(const struct pseudo_ref *ref, struct path *out)
{
	struct ns_common *ns = get(ref);

	return IS_ERR(ns) ? PTR_ERR(ns) : nsfs_path(ns, out);
}

static const struct pseudo_entry ns_entry = {"ns", LINK, .link = ns_link, .follow = ns_follow};

int proc_ns_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		if (strlen(links[i].name) == len && !memcmp(links[i].name, name, len)) {
			task_get(dir->task);
			*out = (struct pseudo_ref){&ns_entry, dir->task, i};
			return 0;
		}
	}
	return -ENOENT;
}

bool proc_ns_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type)
{
	if (*cookie >= ARRAY_SIZE(links))
		return false;
	strlcpy(name, links[*cookie].name, 32);
	*type = 10;
	return true;
}
