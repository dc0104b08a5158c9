// SPDX-License-Identifier: Apache-2.0
/* Names of AF_UNIX sockets: path names, abstract names, autobind (unix(7), "Address format"). */
#include "lib/string.h"
#include "net/unix_sock.h"
#include "task/task.h"

static spinlock_t names_lock = SPINLOCK_INIT;
static uint32_t autobind_next;                                      /* names_lock */

#define PATH_OFF 2 /* offsetof(struct sockaddr_un, sun_path) */

void unix_addr_put(struct unix_addr *a)
{
	if (!a || !ref_put(&a->refs))
		return;
	if (a->inode)
		inode_put(a->inode);
	kfree(a);
}

static struct unix_addr *addr_new(const struct sockaddr_buf *name)
{
	struct unix_addr *a = kzalloc(sizeof(*a));
	if (a) {
		ref_init(&a->refs);
		list_init(&a->link);
		a->name = *name;
	}
	return a;
}

/* Caller holds names_lock. */
static struct unix_addr *abstract_find(const struct net_ns *net, const struct sockaddr_buf *name, int type)
{
	struct unix_addr *a;
	list_for_each_entry(a, &net->unix_names, link) {
		if (a->name.len == name->len && !memcmp(a->name.data, name->data, name->len) &&
		    a->owner->s.type == type)
			return a;
	}
	return NULL;
}

/* Publishes an address on u: 0 or -EINVAL when it has one. */
static int addr_set(struct unix_sock *u, struct unix_addr *a)
{
	spin_lock(&u->lock);
	bool bound = u->addr != NULL;
	if (!bound)
		u->addr = a;
	spin_unlock(&u->lock);
	return bound ? -EINVAL : 0;
}

static int bind_abstract(struct unix_sock *u, const struct sockaddr_buf *addr, bool autobind)
{
	struct unix_addr *a = addr_new(addr);
	if (!a)
		return -ENOMEM;
	a->owner = u;
	spin_lock(&names_lock);
	int err = 0;
	if (autobind) {
		int tries = 0;
		do {
			char hex[8];
			snprintf(hex, sizeof(hex), "%05x", autobind_next++ & 0xfffff);
			memcpy(a->name.data + PATH_OFF + 1, hex, 5);
			a->name.len = PATH_OFF + 6;
		} while (abstract_find(u->s.net, &a->name, u->s.type) && ++tries < 0x100000);
		err = tries < 0x100000 ? 0 : -ENOSPC;
	} else if (abstract_find(u->s.net, &a->name, u->s.type)) {
		err = -EADDRINUSE;
	}
	if (!err) {
		err = addr_set(u, a);
		if (!err)
			list_add(&a->link, &u->s.net->unix_names);
	}
	spin_unlock(&names_lock);
	if (err)
		unix_addr_put(a);
	return err;
}

/* Linux makes the inode first: a name that is taken counts more than having one already. */
static int bound_already(const char *path)
{
	struct path p;
	if (path_lookup(AT_FDCWD, path, 0, &p))
		return -EINVAL;
	path_put(&p);
	return -EADDRINUSE;
}

static int bind_path(struct unix_sock *u, const struct sockaddr_buf *addr)
{
	char path[UNIX_PATH_MAX_ + 1];
	size_t n = strnlen((const char *)addr->data + PATH_OFF, addr->len - PATH_OFF);
	memcpy(path, addr->data + PATH_OFF, n);
	path[n] = '\0';
	struct sockaddr_buf name = *addr;
	name.len = (uint32_t)(PATH_OFF + n + 1);
	name.data[PATH_OFF + n] = '\0';
	struct unix_addr *a = addr_new(&name);
	if (!a)
		return -ENOMEM;
	spin_lock(&u->lock);
	bool bound = u->addr != NULL;
	spin_unlock(&u->lock);
	struct path p;
	int err = bound ? bound_already(path) : vfs_mknod(AT_FDCWD, path, S_IFSOCK | 0777, 0, &p);
	if (err == -EEXIST)
		err = -EADDRINUSE;
	if (!err) {
		a->inode = p.dentry->inode;
		inode_get(a->inode);
		path_put(&p);
		err = addr_set(u, a);
		if (!err) {
			spin_lock(&a->inode->spin);
			a->inode->socket = u;
			spin_unlock(&a->inode->spin);
			return 0;
		}
	}
	unix_addr_put(a);
	return err;
}

int unix_bind(struct socket *s, const struct sockaddr_buf *addr)
{
	if (addr->len < PATH_OFF || addr->len > PATH_OFF + UNIX_PATH_MAX_ || addr->family != AF_UNIX)
		return -EINVAL;
	if (addr->len == PATH_OFF)
		return bind_abstract(unix_of(s), addr, true);
	if (addr->data[PATH_OFF] == '\0')
		return bind_abstract(unix_of(s), addr, false);
	return bind_path(unix_of(s), addr);
}

int unix_autobind(struct unix_sock *u)
{
	struct sockaddr_buf any = {.len = PATH_OFF};
	spin_lock(&u->lock);
	bool bound = u->addr;
	spin_unlock(&u->lock);
	if (bound)
		return 0;
	any.family = AF_UNIX;
	int err = bind_abstract(u, &any, true);
	return err == -EINVAL ? 0 : err; /* somebody else was faster */
}

/* A reference to whoever is bound to a path's inode. */
static struct unix_sock *find_path(const struct sockaddr_buf *addr)
{
	char path[UNIX_PATH_MAX_ + 1];
	size_t n = strnlen((const char *)addr->data + PATH_OFF, addr->len - PATH_OFF);
	memcpy(path, addr->data + PATH_OFF, n);
	path[n] = '\0';
	struct path p;
	int err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &p);
	if (err)
		return ERR_PTR(err);
	struct inode *inode = p.dentry->inode;
	struct unix_sock *u = NULL;
	err = inode_permission(inode, MAY_WRITE);
	if (!err) {
		spin_lock(&inode->spin);
		u = inode->socket;
		if (u && !ref_get_unless_zero(&u->refs))
			u = NULL;
		spin_unlock(&inode->spin);
		if (!u)
			err = -ECONNREFUSED;
	}
	path_put(&p);
	return err ? ERR_PTR(err) : u;
}

struct unix_sock *unix_find(const struct net_ns *net, const struct sockaddr_buf *addr, int type)
{
	if (addr->len <= PATH_OFF || addr->len > PATH_OFF + UNIX_PATH_MAX_ || addr->family != AF_UNIX)
		return ERR_PTR(-EINVAL);
	struct unix_sock *u;
	if (addr->data[PATH_OFF]) {
		u = find_path(addr);
	} else {
		spin_lock(&names_lock);
		struct unix_addr *a = abstract_find(net, addr, type);
		u = a && ref_get_unless_zero(&a->owner->refs) ? a->owner : ERR_PTR(-ECONNREFUSED);
		spin_unlock(&names_lock);
	}
	if (!IS_ERR(u) && u->s.type != type) {
		unix_put(u);
		return ERR_PTR(-EPROTOTYPE);
	}
	return u;
}

void unix_unbind(struct unix_sock *u)
{
	spin_lock(&u->lock);
	struct unix_addr *a = u->addr;
	spin_unlock(&u->lock);
	if (!a)
		return;
	if (a->inode) {
		spin_lock(&a->inode->spin);
		if (a->inode->socket == u)
			a->inode->socket = NULL;
		spin_unlock(&a->inode->spin);
	}
	spin_lock(&names_lock);
	if (a->owner == u)
		list_del(&a->link);
	spin_unlock(&names_lock);
}
