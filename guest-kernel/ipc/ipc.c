// SPDX-License-Identifier: Apache-2.0
/* System V IPC: tables of objects (see ipc.h). */
#include "ipc/ipc.h"

#include "ipc/ipc_ns.h"
#include "lib/string.h"
#include "mm/page.h"
#include "task/task.h"
#include "task/user_ns.h"

struct ipc_object *ipc_find(struct ipc_table *t, int id)
{
	if (id < 0)
		return ERR_PTR(-EINVAL);
	struct ipc_object *o = t->slot ? t->slot[id % IPC_MAX_OBJECTS] : NULL;
	return o && o->id == id ? o : ERR_PTR(-EINVAL);
}

static struct ipc_object *ipc_find_key(struct ipc_table *t, int key)
{
	for (int i = 0; t->slot && i < IPC_MAX_OBJECTS; i++)
		if (t->slot[i] && t->slot[i]->key == key && key != IPC_PRIVATE)
			return t->slot[i];
	return NULL;
}

struct ipc_object *ipc_at(struct ipc_table *t, int index)
{
	return t->slot && index >= 0 && index < IPC_MAX_OBJECTS ? t->slot[index] : NULL;
}

int ipc_highest(const struct ipc_table *t)
{
	for (int i = IPC_MAX_OBJECTS - 1; t->slot && i > 0; i--)
		if (t->slot[i])
			return i;
	return 0;
}

int ipc_insert(struct ipc_table *t, struct ipc_object *o, int key, uint32_t mode)
{
	if (!t->slot && !(t->slot = kzalloc(IPC_MAX_OBJECTS * sizeof(struct ipc_object *))))
		return -ENOMEM;
	for (int i = 0; i < IPC_MAX_OBJECTS; i++) {
		if (t->slot[i])
			continue;
		const struct cred *c = current->cred;
		o->seq = t->next_seq++ % (0x7fffffff / IPC_SEQ_STEP);
		o->id = (int)(o->seq * IPC_SEQ_STEP) + i;
		o->key = key;
		o->mode = mode & 0777;
		o->uid = o->cuid = c->euid;
		o->gid = o->cgid = c->egid;
		t->slot[i] = o;
		return o->id;
	}
	return -ENOSPC;
}

void ipc_remove(struct ipc_table *t, struct ipc_object *o)
{
	t->slot[o->id % IPC_MAX_OBJECTS] = NULL;
}

int ipc_permission(const struct ipc_object *o, uint32_t want)
{
	const struct cred *c = current->cred;
	uint32_t granted = o->mode;
	if (c->euid == o->uid || c->euid == o->cuid)
		granted >>= 6;
	else if (cred_in_group(c, o->gid) || cred_in_group(c, o->cgid))
		granted >>= 3;
	want = (want >> 6 | want >> 3 | want) & 7;
	return want & ~granted && !ns_capable(current->nsproxy->ipc->ns.user_ns, CAP_IPC_OWNER) ? -EACCES : 0;
}

int ipc_owner(const struct ipc_object *o)
{
	const struct cred *c = current->cred;
	return c->euid == o->uid || c->euid == o->cuid || ns_capable(current->nsproxy->ipc->ns.user_ns, CAP_SYS_ADMIN) ? 0 : -EPERM;
}

void ipc_perm_out(const struct ipc_object *o, struct ipc64_perm_ *p)
{
	*p = (struct ipc64_perm_){.key = o->key, .uid = kuid_out(o->uid), .gid = kgid_out(o->gid),
	                          .cuid = kuid_out(o->cuid), .cgid = kgid_out(o->cgid),
	                          .mode = o->mode, .seq = (uint16_t)o->seq};
}

int ipc_perm_set(struct ipc_object *o, const struct ipc64_perm_ *p)
{
	uint32_t uid = kuid_in(p->uid), gid = kgid_in(p->gid);

	if (uid == NO_ID || gid == NO_ID)
		return -EINVAL;
	o->uid = uid;
	o->gid = gid;
	o->mode = (o->mode & ~0777u) | (p->mode & 0777);
	return 0;
}

int ipc_get(struct ipc_table *t, int key, int flags, struct ipc_object **o)
{
	*o = key == IPC_PRIVATE ? NULL : ipc_find_key(t, key);
	if (!*o)
		return key == IPC_PRIVATE || flags & IPC_CREAT ? 0 : -ENOENT;
	if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		return -EEXIST;
	return ipc_permission(*o, (uint32_t)flags & 0777);
}
