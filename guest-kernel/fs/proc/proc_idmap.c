// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/PID/uid_map, gid_map, projid_map and setgroups (user_namespaces(7)).
 *
 * Who opened a file decides together with who writes to it, so that no set-user-ID program can be made to write a map.
 */
#include "fs/proc/proc.h"
#include "lib/string.h"
#include "task/user_ns.h"

/* With a reference, or NULL. */
static struct user_ns *target(const struct pseudo_ref *ref)
{
	struct ns_common *ns = task_namespace(ref->task, NS_USER, false);

	return ns ? container_of(ns, struct user_ns, ns) : NULL;
}

/* ---- reading ---- */
static int show_map(struct seq *s, const struct pseudo_ref *ref, enum id_kind kind)
{
	struct user_ns *ns = target(ref), *reader = current->cred->user_ns;

	if (!ns)
		return -EINVAL;
	/* From the inside, the parent's ids; else those of the reader. */
	struct user_ns *lower = reader == ns && user_ns_parent(ns) ? user_ns_parent(ns) : reader;
	uint32_t n = __atomic_load_n(&ns->map[kind].count, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < n; i++) {
		const struct id_extent *e = &ns->map[kind].extents[i];
		seq_printf(s, "%10u %10u %10u\n", e->inside, id_from(lower, kind, e->lower), e->count);
	}
	user_ns_put(ns);
	return 0;
}

int proc_show_uid_map(struct seq *s, const struct pseudo_ref *ref) { return show_map(s, ref, ID_USER); }
int proc_show_gid_map(struct seq *s, const struct pseudo_ref *ref) { return show_map(s, ref, ID_GROUP); }
int proc_show_projid_map(struct seq *s, const struct pseudo_ref *ref) { return show_map(s, ref, ID_PROJECT); }

/* ---- writing ---- */
static bool is_space(char c) { return c == ' ' || c == '\t'; }

/* A decimal number and the blanks around it. */
static bool parse_number(char **p, uint32_t *out)
{
	char *s = *p, *start;
	uint64_t v;

	while (is_space(*s))
		s++;
	for (start = s; *s >= '0' && *s <= '9'; s++)
		;
	char end = *s;
	if (s == start || (end && end != '\n' && !is_space(end)))
		return false;
	*s = '\0';
	bool ok = parse_u64(start, 10, &v) == 0 && v <= UINT32_MAX;
	*s = end;
	while (is_space(*s))
		s++;
	*p = s;
	*out = (uint32_t)v;
	return ok;
}

/* Does e share an id with one before it, on either side? */
static bool overlaps(const struct id_extent *list, uint32_t n, const struct id_extent *e)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct id_extent *o = &list[i];
		if ((e->inside < o->inside + o->count && o->inside < e->inside + e->count) ||
		    (e->lower < o->lower + o->count && o->lower < e->lower + e->count))
			return true;
	}
	return false;
}

/* Lines "inside lower count", lower still in ids of the parent. How many, or -EINVAL. */
static int parse_map(char *text, struct id_extent *list)
{
	uint32_t n = 0;

	for (char *p = text; *p; n++) {
		struct id_extent e;
		if (n == ID_MAP_MAX || !parse_number(&p, &e.inside) || !parse_number(&p, &e.lower) || !parse_number(&p, &e.count))
			return -EINVAL;
		if (*p && *p != '\n')
			return -EINVAL;
		if (*p)
			p++;
		if (e.inside == NO_ID || e.lower == NO_ID || !e.count || e.inside + e.count <= e.inside ||
		    e.lower + e.count <= e.lower || overlaps(list, n, &e))
			return -EINVAL;
		list[n] = e;
	}
	return n ? (int)n : -EINVAL;
}

/* Whoever maps the parent's root could give files capabilities that count there. */
static bool root_allowed(const struct user_ns *ns, const struct cred *opener, const struct id_extent *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (list[i].lower == 0)
			return opener->user_ns == ns ? ns->parent_setfcap
			                             : cred_ns_capable(opener, user_ns_parent(ns), CAP_SETFCAP);
	return true;
}

static bool permitted(const struct user_ns *ns, enum id_kind kind, const struct cred *opener,
                      const struct id_extent *list, uint32_t n)
{
	struct user_ns *parent = user_ns_parent(ns);
	int cap = kind == ID_USER ? CAP_SETUID : CAP_SETGID;

	if (kind == ID_USER && !root_allowed(ns, opener, list, n))
		return false;
	if (kind == ID_PROJECT)
		return true;
	/* One's own id, without privilege; groups only if none can be dropped afterwards. */
	if (n == 1 && list[0].count == 1 && ns->owner == opener->euid) {
		uint32_t id = id_make(parent, kind, list[0].lower);
		if (kind == ID_USER ? id == opener->euid : id == opener->egid && ns->setgroups_denied)
			return true;
	}
	return ns_capable(parent, cap) && cred_ns_capable(opener, parent, cap);
}

/* From ids of the parent to those of the initial namespace; whole ranges must be in one of the parent's. */
static int resolve(const struct user_ns *parent, enum id_kind kind, struct id_extent *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t first = id_make(parent, kind, list[i].lower);
		uint32_t last = id_make(parent, kind, list[i].lower + list[i].count - 1);
		if (first == NO_ID || last == NO_ID || last - first != list[i].count - 1)
			return -EPERM;
		list[i].lower = first;
	}
	return 0;
}

static void sort(struct id_extent *list, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		struct id_extent e = list[i];
		uint32_t k = i;
		for (; k && list[k - 1].inside > e.inside; k--)
			list[k] = list[k - 1];
		list[k] = e;
	}
}

/* ns->lock held. list is taken over on 0. */
static int set_map(struct user_ns *ns, enum id_kind kind, const struct cred *opener, char *text, struct id_extent *list)
{
	if (ns->map[kind].count)
		return -EPERM;
	if (kind != ID_PROJECT && !cred_ns_capable(opener, ns, CAP_SYS_ADMIN))
		return -EPERM;
	int n = parse_map(text, list);
	if (n < 0)
		return n;
	if (!permitted(ns, kind, opener, list, (uint32_t)n))
		return -EPERM;
	int err = resolve(user_ns_parent(ns), kind, list, (uint32_t)n);
	if (err)
		return err;
	sort(list, (uint32_t)n);
	ns->map[kind].extents = list;
	__atomic_store_n(&ns->map[kind].count, (uint32_t)n, __ATOMIC_RELEASE);
	return 0;
}

static ssize_t_ store_map(const struct pseudo_ref *ref, struct file *file, char *text, size_t len, enum id_kind kind)
{
	const struct cred *opener = file->cred;
	struct user_ns *ns = target(ref);

	if (!ns)
		return -EINVAL;
	struct id_extent *list = kmalloc(ID_MAP_MAX * sizeof(*list));
	int err = list ? -EPERM : -ENOMEM;
	if (list && user_ns_parent(ns) && (opener->user_ns == ns || opener->user_ns == user_ns_parent(ns))) {
		mutex_lock(&ns->lock);
		err = set_map(ns, kind, opener, text, list);
		mutex_unlock(&ns->lock);
	}
	if (err)
		kfree(list);
	user_ns_put(ns);
	return err ? err : (ssize_t_)len;
}

ssize_t_ proc_store_uid_map(const struct pseudo_ref *ref, struct file *file, char *text, size_t len)
{
	return store_map(ref, file, text, len, ID_USER);
}

ssize_t_ proc_store_gid_map(const struct pseudo_ref *ref, struct file *file, char *text, size_t len)
{
	return store_map(ref, file, text, len, ID_GROUP);
}

ssize_t_ proc_store_projid_map(const struct pseudo_ref *ref, struct file *file, char *text, size_t len)
{
	return store_map(ref, file, text, len, ID_PROJECT);
}

/* ---- setgroups ---- */
int proc_show_setgroups(struct seq *s, const struct pseudo_ref *ref)
{
	struct user_ns *ns = target(ref);

	if (!ns)
		return -EINVAL;
	seq_puts(s, READ_ONCE(ns->setgroups_denied) ? "deny\n" : "allow\n");
	user_ns_put(ns);
	return 0;
}

/* "deny" holds for ever, and must come before the map of groups. */
static int set_setgroups(struct user_ns *ns, const char *word)
{
	bool deny = !strcmp(word, "deny");

	if (!deny && strcmp(word, "allow"))
		return -EINVAL;
	if (!deny)
		return ns->setgroups_denied ? -EPERM : 0;
	if (ns->map[ID_GROUP].count)
		return -EPERM;
	ns->setgroups_denied = true;
	return 0;
}

ssize_t_ proc_store_setgroups(const struct pseudo_ref *ref, struct file *file, char *text, size_t len)
{
	struct user_ns *ns = target(ref);
	size_t n = len;

	if (!ns)
		return -EINVAL;
	while (n && (text[n - 1] == '\n' || is_space(text[n - 1])))
		text[--n] = '\0';
	int err = -EACCES;
	if (cred_ns_capable(file->cred, ns, CAP_SYS_ADMIN)) {
		mutex_lock(&ns->lock);
		err = len >= 8 ? -EINVAL : set_setgroups(ns, text);
		mutex_unlock(&ns->lock);
	}
	user_ns_put(ns);
	return err ? err : (ssize_t_)len;
}
