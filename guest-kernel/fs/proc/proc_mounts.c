// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/mounts, mountinfo and mountstats. Mounts outside the reader's root are left out, as in Linux. */
#include "fs/proc/proc.h"

#include <linux/mount.h>

#include "fs/mount.h"
#include "fs/namei.h"
#include "fs/poll.h"
#include "lib/string.h"

#define MAX_MOUNTS (2 * MOUNTS_MAX)

/* The mounts now, each with a reference; *n of them. Kmalloc'ed, or NULL. */
static struct mount **mounts_list(struct mnt_ns *ns, size_t *n)
{
	struct mount **list = NULL;
	size_t cap = 32;
	for (;;) {
		list = kmalloc(cap * sizeof(*list));
		if (!list)
			return NULL;
		size_t k = 0;
		struct mount *m;
		spin_lock(&mount_lock);
		list_for_each_entry(m, &ns->mounts, link) {
			if (k < cap) {
				mount_get(m);
				list[k] = m;
			}
			k++;
		}
		spin_unlock(&mount_lock);
		*n = MIN(k, cap);
		if (k <= cap)
			return list;
		for (size_t i = 0; i < *n; i++)
			mount_put(list[i]);
		kfree(list);
		cap = k + 8;
		if (cap > MAX_MOUNTS)
			return NULL;
	}
}

static void show_flags(struct seq *s, const struct mount *m, bool sb_too)
{
	uint32_t f = m->flags | (sb_too ? m->sb->flags : 0);
	seq_puts(s, f & MS_RDONLY ? "ro" : "rw");
	if (m->flags & MS_NOSUID)
		seq_puts(s, ",nosuid");
	if (m->flags & MS_NODEV)
		seq_puts(s, ",nodev");
	if (m->flags & MS_NOEXEC)
		seq_puts(s, ",noexec");
	if (m->flags & MS_NOATIME)
		seq_puts(s, ",noatime");
	else if (!(m->flags & MS_STRICTATIME))
		seq_puts(s, ",relatime");
}

static void show_sb_options(struct seq *s, struct super_block *sb)
{
	if (!sb->ops || !sb->ops->show_options)
		return;
	char *buf = kmalloc(PAGE_SIZE);
	if (!buf)
		return;
	buf[0] = '\0';
	if (sb->ops->show_options(sb, buf, PAGE_SIZE) >= 0)
		seq_puts(s, buf);
	kfree(buf);
}

/* Where m is mounted, seen from root; NULL when it is out of reach. */
static char *mount_place(const struct mount *m, const struct path *root, char *buf)
{
	struct path at = {(struct mount *)m, m->root};
	char *p = path_name_from(&at, root, buf, PATH_MAX_);
	return IS_ERR(p) || p[0] != '/' ? NULL : p;
}

/* Path of a mount's root inside its file system ("/" unless it is a bind mount). */
static void show_fs_root(struct seq *s, struct mount *m)
{
	struct dentry *chain[64];
	int n = 0;
	struct dentry *d = m->root;
	if (d->flags & DENTRY_NSFS) {
		seq_printf(s, "%s[%llu]", d->name, (unsigned long long)d->inode->ino);
		return;
	}
	spin_lock(&dcache_tree_lock); /* parents and names stay, and with them those above */
	while (d != d->parent && n < (int)ARRAY_SIZE(chain)) {
		chain[n++] = d;
		d = d->parent;
	}
	if (!n)
		seq_puts(s, "/");
	while (n--) {
		seq_puts(s, "/");
		seq_escape(s, chain[n]->name, " \t\n");
	}
	spin_unlock(&dcache_tree_lock);
}

static int parent_id(const struct mount *m)
{
	spin_lock(&mount_lock);
	int id = m->parent ? m->parent->id : m->id;
	spin_unlock(&mount_lock);
	return id;
}

static void show_propagation(struct seq *s, const struct mount *m)
{
	spin_lock(&mount_lock);
	int group = m->group, master = m->master ? m->master->group : 0, from = mount_dominating_group(m);
	bool unbindable = m->unbindable;
	spin_unlock(&mount_lock);
	if (group)
		seq_printf(s, " shared:%d", group);
	if (master)
		seq_printf(s, " master:%d", master);
	if (from)
		seq_printf(s, " propagate_from:%d", from);
	if (unbindable)
		seq_puts(s, " unbindable");
}

static void show_one(struct seq *s, struct mount *m, const char *place, bool info)
{
	const char *type = m->sb->type ? m->sb->type->name : "none";
	const char *source = m->source && *m->source ? m->source : "none";
	if (!info) {
		seq_escape(s, source, " \t\n#");
		seq_puts(s, " ");
		seq_escape(s, place, " \t\n");
		seq_printf(s, " %s ", type);
		show_flags(s, m, true);
		show_sb_options(s, m->sb);
		seq_puts(s, " 0 0\n");
		return;
	}
	seq_printf(s, "%d %d %u:%u ", m->id, parent_id(m), DEV_MAJOR(m->sb->dev),
	           DEV_MINOR(m->sb->dev));
	show_fs_root(s, m);
	seq_puts(s, " ");
	seq_escape(s, place, " \t\n");
	seq_puts(s, " ");
	show_flags(s, m, false);
	show_propagation(s, m);
	seq_printf(s, " - %s ", type);
	seq_escape(s, source, " \t\n#");
	seq_puts(s, m->sb->flags & MS_RDONLY ? " ro" : " rw");
	show_sb_options(s, m->sb);
	seq_puts(s, "\n");
}

static void show_stats(struct seq *s, struct mount *m, const char *place)
{
	seq_printf(s, "device %s mounted on ", m->source ? m->source : "none");
	seq_escape(s, place, " \t\n");
	seq_printf(s, " with fstype %s\n", m->sb->type ? m->sb->type->name : "none");
}

static void show_line(struct seq *s, struct mount *m, const char *place) { show_one(s, m, place, false); }
static void show_info(struct seq *s, struct mount *m, const char *place) { show_one(s, m, place, true); }

static int show_list(struct seq *s, struct mnt_ns *ns, const struct path *root,
                     void (*show)(struct seq *s, struct mount *m, const char *place))
{
	size_t n;
	struct mount **list = mounts_list(ns, &n);
	char *buf = kmalloc(PATH_MAX_);
	int err = list && buf ? 0 : -ENOMEM;
	for (size_t i = 0; list && i < n; i++) {
		char *place = err ? NULL : mount_place(list[i], root, buf);
		if (place)
			show(s, list[i], place);
		mount_put(list[i]);
	}
	kfree(list);
	kfree(buf);
	return err;
}

/* The mounts of the task's namespace, as its root sees them. */
static int show_mounts(struct seq *s, struct task *t, void (*show)(struct seq *s, struct mount *m, const char *place))
{
	struct nsproxy *set = task_nsproxy(t);
	struct fs_context *fs = proc_task_fs(t);
	int err = -EINVAL; /* it has ended */
	if (set && fs) {
		spin_lock(&fs->lock);
		struct path root = fs->root;
		path_get(&root);
		spin_unlock(&fs->lock);
		err = show_list(s, set->mnt, &root, show);
		path_put(&root);
	}
	fs_context_put(fs);
	nsproxy_put(set);
	return err;
}

int proc_show_mounts(struct seq *s, const struct pseudo_ref *ref) { return show_mounts(s, ref->task, show_line); }
int proc_show_mountinfo(struct seq *s, const struct pseudo_ref *ref) { return show_mounts(s, ref->task, show_info); }
int proc_show_mountstats(struct seq *s, const struct pseudo_ref *ref) { return show_mounts(s, ref->task, show_stats); }

struct ns_common *proc_hold_mounts(const struct pseudo_ref *ref)
{
	return task_namespace(ref->task, NS_MNT, false);
}

/* poll on mounts and mountinfo reports EPOLLERR|EPOLLPRI after each change (proc(5)); *seen is what it told last. */
uint32_t proc_poll_mounts(struct file *file, struct poll_table *pt, uint32_t *seen)
{
	struct mnt_ns *ns = container_of(pseudo_held(file), struct mnt_ns, ns);
	if (!pseudo_held(file))
		return EPOLLERR;
	poll_wait(file, &ns->wait, pt);
	uint32_t now = READ_ONCE(ns->seq);
	bool changed = now != *seen;
	*seen = now;
	return EPOLLIN | EPOLLRDNORM | (changed ? EPOLLERR | EPOLLPRI : 0);
}
