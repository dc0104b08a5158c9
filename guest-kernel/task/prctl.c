// SPDX-License-Identifier: Apache-2.0
/* prctl(2). Operations that concern hardware or subsystems we do not have answer EINVAL, as Linux built without them. */
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>

#include "lib/string.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/seccomp.h"
#include "task/task.h"

static int64_t set_name(uva_t name)
{
	char comm[TASK_COMM_LEN] = {0};
	ssize_t_ n = copy_in_string(comm, name, sizeof(comm));
	if (n == -EFAULT)
		return -EFAULT;
	comm[TASK_COMM_LEN - 1] = '\0';
	memcpy(current->comm, comm, sizeof(comm));
	return 0;
}

static int64_t cap_bset_drop(uint64_t cap)
{
	if (!cred_own_capable(current->cred, CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	struct cred *c = cred_copy(current->cred);
	if (!c)
		return -ENOMEM;
	c->cap_bounding &= ~(1ULL << cap);
	cred_commit(c);
	return 0;
}

static int64_t cap_ambient(uint64_t op, uint64_t cap, uint64_t a3, uint64_t a4)
{
	if (a3 || a4)
		return -EINVAL;
	const struct cred *o = current->cred;
	if (op == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (cap)
			return -EINVAL;
	} else if (cap > CAP_LAST_CAP) {
		return -EINVAL;
	}
	uint64_t bit = op == PR_CAP_AMBIENT_CLEAR_ALL ? 0 : 1ULL << cap;
	switch (op) {
	case PR_CAP_AMBIENT_IS_SET:
		return (o->cap_ambient & bit) != 0;
	case PR_CAP_AMBIENT_RAISE:
		if (!(o->cap_permitted & bit) || !(o->cap_inheritable & bit) || o->securebits & 1u << SECURE_NO_CAP_AMBIENT_RAISE)
			return -EPERM;
		break;
	case PR_CAP_AMBIENT_LOWER:
	case PR_CAP_AMBIENT_CLEAR_ALL:
		break;
	default:
		return -EINVAL;
	}
	struct cred *c = cred_copy(o);
	if (!c)
		return -ENOMEM;
	if (op == PR_CAP_AMBIENT_RAISE)
		c->cap_ambient |= bit;
	else if (op == PR_CAP_AMBIENT_LOWER)
		c->cap_ambient &= ~bit;
	else
		c->cap_ambient = 0;
	cred_commit(c);
	return 0;
}

static int64_t set_securebits(uint64_t bits)
{
	const struct cred *o = current->cred;
	uint32_t locks = o->securebits & SECURE_ALL_LOCKS;
	if (bits & ~(uint64_t)(SECURE_ALL_BITS | SECURE_ALL_LOCKS))
		return -EPERM;
	/* A locked bit cannot change, a lock cannot be opened. */
	if (((locks >> 1) & (o->securebits ^ (uint32_t)bits)) || locks & ~(uint32_t)bits || !cred_own_capable(current->cred, CAP_SETPCAP))
		return -EPERM;
	struct cred *c = cred_copy(o);
	if (!c)
		return -ENOMEM;
	c->securebits = (uint32_t)bits;
	cred_commit(c);
	return 0;
}

static int64_t set_keepcaps(uint64_t on)
{
	if (on > 1)
		return -EINVAL;
	if (current->cred->securebits & 1u << SECURE_KEEP_CAPS_LOCKED)
		return -EPERM;
	struct cred *c = cred_copy(current->cred);
	if (!c)
		return -ENOMEM;
	c->securebits = (c->securebits & ~(1u << SECURE_KEEP_CAPS)) | (uint32_t)on << SECURE_KEEP_CAPS;
	cred_commit(c);
	return 0;
}

static bool process_exists(int pid)
{
	spin_lock(&tasklist_lock);
	bool r = pid > 0 && task_lookup_user(pid);
	spin_unlock(&tasklist_lock);
	return r;
}

static int64_t set_no_new_privs(uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	if (a2 != 1 || a3 || a4 || a5)
		return -EINVAL;
	WRITE_ONCE(current->no_new_privs, true);
	return 0;
}

/* PR_SET_VMA_ANON_NAME: the name shows in /proc/PID/maps. */
static int64_t set_vma(uint64_t op, uint64_t start, uint64_t len, uint64_t name)
{
	char text[80] = {0};
	if (op != PR_SET_VMA_ANON_NAME || start & (PAGE_SIZE - 1))
		return -EINVAL;
	if (name) {
		ssize_t_ n = copy_in_string(text, uva(name), sizeof(text));
		if (n < 0)
			return n == -EFAULT ? n : -EINVAL;
		for (const char *s = text; *s; s++)
			if (*s < ' ' || *s > '~' || strchr("\\`$[]", *s))
				return -EINVAL;
	}
	return mm_set_anon_name(current->mm, start, len, name ? text : NULL);
}

/* ---- PR_SET_MM: what the kernel tells of an address space ---- */
/* Every value an address, every pair in order; brk within RLIMIT_DATA. mm->lock held. */
static bool mm_map_is_valid(const struct prctl_mm_map *m)
{
	const uint64_t *v = (const uint64_t *)&m->start_code;
	uint64_t limit = rlimit_cur(RLIMIT_DATA);

	_Static_assert(offsetof(struct prctl_mm_map, auxv) == 11 * sizeof(*v), "eleven addresses come first");
	for (int i = 0; i < 11; i++)
		if (v[i] < USER_MIN || v[i] >= USER_MAX)
			return false;
	if (m->start_code >= m->end_code || m->start_data > m->end_data || m->start_brk > m->brk ||
	    m->arg_start > m->arg_end || m->env_start > m->env_end)
		return false;
	return limit == RLIM64_INFINITY || m->brk - m->start_brk + (m->end_data - m->start_data) <= limit;
}

static void mm_map_get(const struct mm *mm, struct prctl_mm_map *m)
{
	*m = (struct prctl_mm_map){
		.start_code = mm->start_code, .end_code = mm->end_code, .start_data = mm->start_data, .end_data = mm->end_data,
		.start_brk = mm->brk_start, .brk = mm->brk, .start_stack = mm->start_stack, .arg_start = mm->arg_start,
		.arg_end = mm->arg_end, .env_start = mm->env_start, .env_end = mm->env_end,
	};
}

static void mm_map_put(struct mm *mm, const struct prctl_mm_map *m)
{
	mm->start_code = m->start_code;
	mm->end_code = m->end_code;
	mm->start_data = m->start_data;
	mm->end_data = m->end_data;
	mm->brk_start = m->start_brk;
	mm->brk = m->brk;
	mm->start_stack = m->start_stack;
	mm->arg_start = m->arg_start;
	mm->arg_end = m->arg_end;
	mm->env_start = m->env_start;
	mm->env_end = m->env_end;
}

/* The auxiliary vector for /proc/PID/auxv, ended by AT_NULL whatever the application says. */
static int copy_in_auxv(uint64_t at, uint64_t size, uint64_t **aux)
{
	const uint32_t max = sizeof(current->mm->auxv);

	if (size > max)
		return -EINVAL;
	*aux = kzalloc(max);
	if (!*aux)
		return -ENOMEM;
	if (copy_in(*aux, uva(at), size)) {
		kfree(*aux);
		return -EFAULT;
	}
	(*aux)[max / sizeof(**aux) - 2] = (*aux)[max / sizeof(**aux) - 1] = 0;
	return 0;
}

/* mm->lock held for writing. */
static void put_auxv(struct mm *mm, const uint64_t *aux)
{
	uint32_t n = 0;

	while (aux[n])
		n += 2;
	memcpy(mm->auxv, aux, sizeof(mm->auxv));
	mm->nr_auxv = n + 2;
}

static int64_t set_auxv(uint64_t at, uint64_t size)
{
	struct mm *mm = current->mm;
	uint64_t *aux;
	int err = copy_in_auxv(at, size, &aux);

	if (err)
		return err;
	rwsem_write_lock(&mm->lock);
	put_auxv(mm, aux);
	rwsem_write_unlock(&mm->lock);
	kfree(aux);
	return 0;
}

/* PR_SET_MM_MAP: all at once, for which no capability is asked. Another exe is not supported. */
static int64_t set_mm_map(uint64_t at, uint64_t size)
{
	struct mm *mm = current->mm;
	struct prctl_mm_map m;
	uint64_t *aux = NULL;
	int err = 0;

	if (size != sizeof(m))
		return -EINVAL;
	if (copy_in_struct(&m, uva(at)))
		return -EFAULT;
	if (!mm_map_is_valid(&m) || (int32_t)m.exe_fd != -1)
		return -EINVAL;
	if (m.auxv_size && !m.auxv)
		return -EINVAL;
	if (m.auxv_size)
		err = copy_in_auxv((uint64_t)m.auxv, m.auxv_size, &aux);
	if (err)
		return err;
	rwsem_write_lock(&mm->lock);
	mm_map_put(mm, &m);
	if (aux)
		put_auxv(mm, aux);
	rwsem_write_unlock(&mm->lock);
	kfree(aux);
	return 0;
}

/* The field that an operation sets, or NULL; *mapped: the address must have something above it. */
static __u64 *mm_map_field(struct prctl_mm_map *m, uint64_t op, bool *mapped)
{
	*mapped = false;
	switch (op) {
	case PR_SET_MM_START_CODE: return &m->start_code;
	case PR_SET_MM_END_CODE: return &m->end_code;
	case PR_SET_MM_START_DATA: return &m->start_data;
	case PR_SET_MM_END_DATA: return &m->end_data;
	case PR_SET_MM_START_BRK: return &m->start_brk;
	case PR_SET_MM_BRK: return &m->brk;
	}
	*mapped = true;
	switch (op) {
	case PR_SET_MM_START_STACK: return &m->start_stack;
	case PR_SET_MM_ARG_START: return &m->arg_start;
	case PR_SET_MM_ARG_END: return &m->arg_end;
	case PR_SET_MM_ENV_START: return &m->env_start;
	case PR_SET_MM_ENV_END: return &m->env_end;
	default: return NULL;
	}
}

static int64_t set_mm(uint64_t op, uint64_t v, uint64_t size)
{
	struct mm *mm = current->mm;
	struct prctl_mm_map m;
	int64_t err = -EINVAL;
	uint32_t bytes = sizeof(m);
	bool mapped;

	if (op == PR_SET_MM_MAP)
		return set_mm_map(v, size);
	if (op == PR_SET_MM_MAP_SIZE)
		return copy_out_struct(uva(v), &bytes);
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (op == PR_SET_MM_AUXV)
		return set_auxv(v, size);
	if (v >= USER_MAX || v < USER_MIN)
		return -EINVAL;
	rwsem_write_lock(&mm->lock);
	mm_map_get(mm, &m);
	__u64 *field = mm_map_field(&m, op, &mapped);
	if (field) {
		*field = v;
		err = !mm_map_is_valid(&m) ? -EINVAL : mapped && !vma_find(mm, v) ? -EFAULT : 0;
	}
	if (!err)
		mm_map_put(mm, &m);
	rwsem_write_unlock(&mm->lock);
	return err;
}

static int64_t put_int(uint64_t user, int v)
{
	return copy_out(uva(user), &v, sizeof(v)) ? -EFAULT : 0;
}

int64_t sys_prctl(const struct sysargs *a)
{
	uint64_t a2 = arg_u64(a, 1), a3 = arg_u64(a, 2), a4 = arg_u64(a, 3), a5 = arg_u64(a, 4);
	struct task *t = current;
	switch (arg_int(a, 0)) {
	case PR_SET_PDEATHSIG:
		if (a2 > NSIG_)
			return -EINVAL;
		t->pdeath_signal = (int)a2;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_int(a2, t->pdeath_signal);
	case PR_GET_DUMPABLE:
		return t->mm->dumpable;
	case PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		t->mm->dumpable = a2;
		return 0;
	case PR_SET_NAME:
		return set_name(uva(a2));
	case PR_GET_NAME:
		return copy_out(uva(a2), t->comm, TASK_COMM_LEN) ? -EFAULT : 0;
	case PR_GET_KEEPCAPS:
		return t->cred->securebits >> SECURE_KEEP_CAPS & 1;
	case PR_SET_KEEPCAPS:
		return set_keepcaps(a2);
	case PR_GET_SECUREBITS:
		return t->cred->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(a2);
	case PR_CAPBSET_READ:
		return a2 > CAP_LAST_CAP ? -EINVAL : (int64_t)(t->cred->cap_bounding >> a2 & 1);
	case PR_CAPBSET_DROP:
		return cap_bset_drop(a2);
	case PR_CAP_AMBIENT:
		return cap_ambient(a2, a3, a4, a5);
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privs(a2, a3, a4, a5);
	case PR_GET_NO_NEW_PRIVS:
		return a2 || a3 || a4 || a5 ? -EINVAL : t->no_new_privs;
	case PR_SET_CHILD_SUBREAPER:
		t->proc->child_subreaper = a2 != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_int(a2, t->proc->child_subreaper);
	case PR_SET_TIMERSLACK:
		t->timer_slack_ns = (int64_t)a2 <= 0 ? 50000 : a2;
		return 0;
	case PR_GET_TIMERSLACK:
		return (int64_t)MIN(t->timer_slack_ns, (uint64_t)INT64_MAX);
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return a2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_TSC:
		return put_int(a2, PR_TSC_ENABLE);
	case PR_SET_TSC:
		return a2 == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_GET_TID_ADDRESS: {
		uint64_t addr = t->clear_child_tid;
		return copy_out(uva(a2), &addr, sizeof(addr)) ? -EFAULT : 0;
	}
	case PR_SET_THP_DISABLE:
		if (a3 || a4 || a5)
			return -EINVAL;
		t->proc->thp_disable = a2 != 0;
		return 0;
	case PR_GET_THP_DISABLE:
		return a2 || a3 || a4 || a5 ? -EINVAL : t->proc->thp_disable;
	case PR_MCE_KILL:
		return a4 || a5 ? -EINVAL : a2 == PR_MCE_KILL_CLEAR ? (a3 ? -EINVAL : 0) : a2 == PR_MCE_KILL_SET && a3 <= 2 ? 0 : -EINVAL;
	case PR_MCE_KILL_GET:
		return a2 || a3 || a4 || a5 ? -EINVAL : PR_MCE_KILL_DEFAULT;
	case PR_SET_PTRACER:
		/* Whom Yama would let trace us: without restriction nothing follows from it. */
		return a2 && a2 != UINT64_MAX && !process_exists((int)a2) ? -EINVAL : 0;
	case PR_SET_VMA:
		return set_vma(a2, a3, a4, a5);
	case PR_SET_MM:
		if (a5 || (a4 && a2 != PR_SET_MM_AUXV && a2 != PR_SET_MM_MAP && a2 != PR_SET_MM_MAP_SIZE))
			return -EINVAL;
		return set_mm(a2, a3, a4);
	case PR_GET_SECCOMP:
		return (int64_t)current->seccomp_mode;
	case PR_SET_SECCOMP:
		if (a2 == SECCOMP_MODE_STRICT)
			return seccomp_set_mode(SECCOMP_SET_MODE_STRICT, 0, UVA_NULL);
		return a2 == SECCOMP_MODE_FILTER ? seccomp_set_mode(SECCOMP_SET_MODE_FILTER, 0, uva(a3)) : -EINVAL;
	}
	return -EINVAL;
}
