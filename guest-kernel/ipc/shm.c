// SPDX-License-Identifier: Apache-2.0
/*
 * System V shared memory (shmget(2), shmop(2), shmctl(2)).
 *
 * A segment is an unlinked file of the internal tmpfs, whose inode number is the segment's id as in Linux. Each shmat(2)
 * maps it through a file of its own, "/SYSV<key>"; vmas count as attachments through their open and close operations,
 * so fork, exec and exit need no help from here. A segment that was removed (IPC_RMID) keeps its id until the last
 * attachment goes. References: one of the table, one of each file.
 *
 * There are no huge pages (SHM_HUGETLB: EINVAL, as in a kernel without them), and nothing is ever swapped, so that
 * SHM_LOCK only sets its flag.
 */
#include "ipc/ipc.h"
#include "ipc/ipc_ns.h"

#include "fs/seq.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

/* linux/shm.h needs a C library. */
#define SHM_R_         0400u
#define SHM_HUGETLB_   04000
#define SHM_NORESERVE_ 010000
#define SHM_RDONLY_    010000
#define SHM_RND_       020000
#define SHM_REMAP_     040000
#define SHM_EXEC_      0100000
#define SHM_DEST_      01000u
#define SHM_LOCKED_    02000u
#define SHM_LOCK_      11
#define SHM_UNLOCK_    12
#define SHM_STAT_      13
#define SHM_INFO_      14
#define SHM_STAT_ANY_  15
#define SHMLBA_        PAGE_SIZE
#define SHM_MAX_       (UINT64_MAX - (1UL << 24)) /* SHMMAX in bytes, SHMALL in pages */

struct shm_segment {
	struct ipc_object obj;
	struct ipc_ns *ns;                /* each attachment's file holds it; immutable */
	ref_t refs;
	struct inode *inode;              /* a reference; immutable */
	const struct vm_ops *backing;     /* of the tmpfs; set by the first mapping, always to the same value */
	uint64_t size, nattch;
	int64_t atime, dtime, ctime;
	struct pid *cpid, *lpid;          /* references; the latter may be NULL */
	bool destroyed;                   /* not in the table any more */
};

static struct ipc_table *table(void) { return &current->nsproxy->ipc->shm; }

/* struct shmid64_ds of the x86-64 ABI */
struct shmid64_ds_ {
	struct ipc64_perm_ perm;
	uint64_t segsz;
	int64_t atime, dtime, ctime;
	int32_t cpid, lpid;
	uint64_t nattch, unused[2];
};

struct shminfo64_ {
	uint64_t shmmax, shmmin, shmmni, shmseg, shmall, unused[4];
};

struct shm_info_ {
	int32_t used_ids;
	uint64_t shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes;
};

static int64_t now_sec(void)
{
	return (int64_t)(clock_realtime() / 1000000000);
}

static struct shm_segment *segment_of(struct ipc_object *o)
{
	return container_of(o, struct shm_segment, obj);
}

static uint64_t pages_of(uint64_t size)
{
	return (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* May sleep: frees the memory with the last reference. */
static void segment_put(struct shm_segment *s)
{
	if (!ref_put(&s->refs))
		return;
	inode_put(s->inode);
	pid_put(s->cpid);
	pid_put(s->lpid);
	kfree(s);
}

/* A removed segment without attachments leaves the table. Lock held; true: the caller puts the table's reference. */
static bool segment_maybe_destroy(struct shm_segment *s)
{
	if (s->destroyed || s->nattch || !(s->obj.mode & SHM_DEST_))
		return false;
	ipc_remove(&s->ns->shm, &s->obj);
	s->ns->shm_pages -= pages_of(s->size);
	s->destroyed = true;
	return true;
}

/* ---- attachments ---- */

static void attach(struct shm_segment *s)
{
	spin_lock(&s->ns->shm.lock);
	s->nattch++;
	s->atime = now_sec();
	pid_assign_current(&s->lpid);
	spin_unlock(&s->ns->shm.lock);
}

/* shmat(2) is over: its own hold on the segment, which was not a mapping. */
static void release_hold(struct shm_segment *s)
{
	spin_lock(&s->ns->shm.lock);
	s->nattch--;
	bool gone = segment_maybe_destroy(s);
	spin_unlock(&s->ns->shm.lock);
	if (gone)
		segment_put(s);
}

static void shm_vma_open(struct vma *v)
{
	attach(v->private);
}

static void shm_vma_close(struct vma *v)
{
	struct shm_segment *s = v->private;

	spin_lock(&s->ns->shm.lock);
	s->nattch--;
	s->dtime = now_sec();
	pid_assign_current(&s->lpid);
	bool gone = segment_maybe_destroy(s);
	spin_unlock(&s->ns->shm.lock);
	if (gone)
		segment_put(s);
}

static int shm_vma_fault(struct vma *v, uint64_t pgoff, bool write, struct vm_frame *out)
{
	struct shm_segment *s = v->private;

	return s->backing->fault(v, pgoff, write, out);
}

static const struct vm_ops shm_vm_ops = {.open = shm_vma_open, .close = shm_vma_close, .fault = shm_vma_fault};

static int shm_file_mmap(struct file *f, struct vma *v)
{
	struct shm_segment *s = f->private;

	int err = s->inode->fops->mmap(f, v);
	if (err)
		return err;
	s->backing = v->ops;
	v->ops = &shm_vm_ops;
	v->private = s;
	attach(s);
	return 0;
}

static void shm_file_release(struct file *f)
{
	struct shm_segment *s = f->private;
	struct ipc_ns *ns = s->ns;

	segment_put(s);
	ns_put(&ns->ns);
}

static int shm_file_fsync(struct file *f, bool datasync)
{
	return 0;
}

/* madvise(MADV_REMOVE) */
static int shm_file_fallocate(struct file *f, int mode, uint64_t off, uint64_t len)
{
	return f->inode->fops->fallocate(f, mode, off, len);
}

static const struct file_ops shm_fops = {
	.mmap = shm_file_mmap,
	.release = shm_file_release,
	.fsync = shm_file_fsync,
	.fallocate = shm_file_fallocate,
};

/* ---- shmget ---- */

/* A segment that is in no table yet, or ERR_PTR. */
static struct shm_segment *segment_create(int key, uint64_t size, int flags)
{
	if (flags & SHM_HUGETLB_)
		return ERR_PTR(-EINVAL);
	struct page_stats st;
	page_stats(&st);
	if (!(flags & SHM_NORESERVE_) && pages_of(size) > st.limit)
		return ERR_PTR(-ENOMEM);
	struct shm_segment *s = kzalloc(sizeof(*s));
	if (!s)
		return ERR_PTR(-ENOMEM);
	char name[16];
	snprintf(name, sizeof(name), "/SYSV%08x", (uint32_t)key);
	struct file *f = tmpfs_anon_file(name, size, 0777, O_RDWR);
	if (IS_ERR(f)) {
		kfree(s);
		return ERR_PTR(PTR_ERR(f));
	}
	s->inode = f->inode;
	inode_get(s->inode);
	file_put(f);
	ref_init(&s->refs);
	s->size = size;
	s->ns = current->nsproxy->ipc;
	s->ctime = now_sec();
	pid_assign_current(&s->cpid);
	return s;
}

int64_t sys_shmget(const struct sysargs *a)
{
	int key = arg_int(a, 0), flags = arg_int(a, 2);
	uint64_t size = arg_u64(a, 1);
	struct shm_segment *fresh = NULL;
	struct ipc_object *o;
	for (;;) {
		spin_lock(&table()->lock);
		int64_t r = ipc_get(table(), key, flags, &o);
		if (!r && o)
			r = segment_of(o)->size < size ? -EINVAL : o->id;
		else if (!r && (size < 1 || size > SHM_MAX_ || size > INT64_MAX))
			r = -EINVAL;
		else if (!r && fresh && pages_of(size) > SHM_MAX_ - current->nsproxy->ipc->shm_pages)
			r = -ENOSPC;
		else if (!r && fresh) {
			r = ipc_insert(table(), &fresh->obj, key, (uint32_t)flags);
			if (r >= 0) {
				fresh->inode->ino = (uint64_t)r;
				fresh->inode->mode = (fresh->inode->mode & ~0777u) | fresh->obj.mode;
				current->nsproxy->ipc->shm_pages += pages_of(size);
				fresh = NULL;
			}
		} else if (!r) {
			/* Memory is allocated without the lock; then everything is looked at again. */
			spin_unlock(&table()->lock);
			fresh = segment_create(key, size, flags);
			if (IS_ERR(fresh))
				return PTR_ERR(fresh);
			continue;
		}
		spin_unlock(&table()->lock);
		if (fresh)
			segment_put(fresh);
		return r;
	}
}

/* ---- shmat, shmdt ---- */

/* A file for one attachment; it holds a reference of the segment, which the caller has a hold on. */
static struct file *attach_file(struct shm_segment *s, bool readonly)
{
	char name[16];

	snprintf(name, sizeof(name), "/SYSV%08x", (uint32_t)s->obj.key);
	inode_get(s->inode);
	struct file *f = file_from_inode(s->inode, name, &shm_fops, s, readonly ? O_RDONLY : O_RDWR);
	if (!f) {
		inode_put(s->inode);
		return NULL;
	}
	ref_get(&s->refs);
	ns_get(&s->ns->ns);
	return f;
}

int64_t sys_shmat(const struct sysargs *a)
{
	int id = arg_int(a, 0), flags = arg_int(a, 2);
	uint64_t addr = arg_u64(a, 1);
	uint32_t map = MAP_SHARED, prot = PROT_READ | (flags & SHM_RDONLY_ ? 0 : PROT_WRITE);
	uint32_t want = (flags & SHM_RDONLY_ ? 0444 : 0666) | (flags & SHM_EXEC_ ? 0111 : 0);
	if (id < 0)
		return -EINVAL;
	if (flags & SHM_EXEC_)
		prot |= PROT_EXEC;
	if (addr) {
		if (addr & (SHMLBA_ - 1)) {
			if (!(flags & SHM_RND_))
				return -EINVAL;
			addr &= ~(SHMLBA_ - 1);
			if (!addr && (flags & SHM_REMAP_))
				return -EINVAL;
		}
		map |= flags & SHM_REMAP_ ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	} else if (flags & SHM_REMAP_) {
		return -EINVAL;
	}

	spin_lock(&table()->lock);
	struct ipc_object *o = ipc_find(table(), id);
	int64_t r = IS_ERR(o) ? PTR_ERR(o) : ipc_permission(o, want);
	struct shm_segment *s = r ? NULL : segment_of(o);
	if (s)
		s->nattch++; /* a hold until release_hold */
	spin_unlock(&table()->lock);
	if (!s)
		return r;
	struct file *f = attach_file(s, flags & SHM_RDONLY_);
	if (f) {
		r = mm_mmap(current->mm, addr, s->size, prot, map, f, 0);
		if (r == -EEXIST)
			r = -EINVAL;
		file_put(f);
	} else {
		r = -ENOMEM;
	}
	release_hold(s);
	return r;
}

int64_t sys_shmdt(const struct sysargs *a)
{
	return mm_munmap_object(current->mm, arg_u64(a, 0), &shm_vm_ops);
}

/* ---- shmctl ---- */

static int64_t ctl_ipc_info(uva_t out)
{
	struct shminfo64_ info = {.shmmax = SHM_MAX_, .shmmin = 1, .shmmni = IPC_MAX_OBJECTS, .shmseg = IPC_MAX_OBJECTS,
	                          .shmall = SHM_MAX_};
	spin_lock(&table()->lock);
	int highest = ipc_highest(table());
	spin_unlock(&table()->lock);
	return copy_out(out, &info, sizeof(info)) ? -EFAULT : highest;
}

static int64_t ctl_shm_info(uva_t out)
{
	struct shm_info_ info = {0};
	spin_lock(&table()->lock);
	int highest = ipc_highest(table());
	for (int i = 0; i <= highest; i++) {
		struct ipc_object *o = ipc_at(table(), i);
		if (!o)
			continue;
		info.used_ids++;
		info.shm_rss += READ_ONCE(segment_of(o)->inode->mapping.nr_pages);
	}
	info.shm_tot = current->nsproxy->ipc->shm_pages;
	spin_unlock(&table()->lock);
	return copy_out(out, &info, sizeof(info)) ? -EFAULT : highest;
}

static int64_t ctl_stat(int id, int cmd, uva_t out)
{
	struct shmid64_ds_ ds;
	spin_lock(&table()->lock);
	struct ipc_object *o = cmd == IPC_STAT ? ipc_find(table(), id) : ipc_at(table(), id);
	int64_t r = IS_ERR(o) || !o ? -EINVAL : cmd == SHM_STAT_ANY_ ? 0 : ipc_permission(o, 0444);
	if (!r) {
		struct shm_segment *s = segment_of(o);
		ds = (struct shmid64_ds_){.segsz = s->size, .atime = s->atime, .dtime = s->dtime, .ctime = s->ctime,
		                          .cpid = pid_vnumber(s->cpid), .lpid = pid_vnumber(s->lpid), .nattch = s->nattch};
		ipc_perm_out(o, &ds.perm);
		r = cmd == IPC_STAT ? 0 : o->id;
	}
	spin_unlock(&table()->lock);
	if (r >= 0 && copy_out(out, &ds, sizeof(ds)))
		r = -EFAULT;
	return r;
}

static int ctl_lock(struct shm_segment *s, bool lock)
{
	const struct cred *c = current->cred;

	if (!ns_capable(current->nsproxy->ipc->ns.user_ns, CAP_IPC_LOCK)) {
		if (c->euid != s->obj.uid && c->euid != s->obj.cuid)
			return -EPERM;
		if (lock && !rlimit_cur(RLIMIT_MEMLOCK))
			return -EPERM;
	}
	s->obj.mode = lock ? s->obj.mode | SHM_LOCKED_ : s->obj.mode & ~SHM_LOCKED_;
	return 0;
}

/* Lock held. True: the caller puts the table's reference. */
static bool ctl_rmid(struct shm_segment *s)
{
	s->obj.mode |= SHM_DEST_;
	s->obj.key = IPC_PRIVATE;
	return segment_maybe_destroy(s);
}

int64_t sys_shmctl(const struct sysargs *a)
{
	int id = arg_int(a, 0), cmd = arg_int(a, 1) & ~IPC_64;
	uva_t buf = arg_uva(a, 2);
	struct shmid64_ds_ ds;
	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
		return ctl_ipc_info(buf);
	case SHM_INFO_:
		return ctl_shm_info(buf);
	case IPC_STAT:
	case SHM_STAT_:
	case SHM_STAT_ANY_:
		return ctl_stat(id, cmd, buf);
	case IPC_SET:
		if (copy_in(&ds, buf, sizeof(ds)))
			return -EFAULT;
		break;
	case IPC_RMID:
	case SHM_LOCK_:
	case SHM_UNLOCK_:
		break;
	default:
		return -EINVAL;
	}
	bool gone = false;
	spin_lock(&table()->lock);
	struct ipc_object *o = ipc_find(table(), id);
	struct shm_segment *s = IS_ERR(o) ? NULL : segment_of(o);
	int64_t r = !s ? -EINVAL : cmd == IPC_SET || cmd == IPC_RMID ? ipc_owner(o) : 0;
	if (!r && cmd == IPC_RMID) {
		gone = ctl_rmid(s);
	} else if (!r && cmd == IPC_SET) {
		r = ipc_perm_set(o, &ds.perm);
		if (!r)
			s->ctime = now_sec();
	} else if (!r) {
		r = ctl_lock(s, cmd == SHM_LOCK_);
	}
	spin_unlock(&table()->lock);
	if (gone)
		segment_put(s);
	return r;
}

void shm_show(struct seq *s)
{
	seq_puts(s, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime"
	            "      ctime                   rss                  swap\n");
	for (int i = 0; i < IPC_MAX_OBJECTS; i++) {
		spin_lock(&table()->lock);
		struct ipc_object *o = ipc_at(table(), i);
		struct shm_segment g = o ? *segment_of(o) : (struct shm_segment){0};
		int cpid = pid_vnumber(g.cpid), lpid = pid_vnumber(g.lpid);
		uint64_t rss = o ? READ_ONCE(g.inode->mapping.nr_pages) * PAGE_SIZE : 0;
		spin_unlock(&table()->lock);
		if (!o)
			continue;
		seq_printf(s, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lld %10lld %10lld %21lu %21lu\n", g.obj.key, g.obj.id,
		           g.obj.mode, g.size, cpid, lpid, g.nattch, kuid_out(g.obj.uid), kgid_out(g.obj.gid), kuid_out(g.obj.cuid),
		           kgid_out(g.obj.cgid),
		           (long long)g.atime, (long long)g.dtime, (long long)g.ctime, rss, 0UL);
	}
}

void shm_ns_exit(struct ipc_ns *ns)
{
	for (int i = 0; i < IPC_MAX_OBJECTS; i++)
		if (ipc_at(&ns->shm, i))
			segment_put(segment_of(ipc_at(&ns->shm, i)));
	kfree(ns->shm.slot);
}
