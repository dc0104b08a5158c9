/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: immutable once published; changed by copy and replace (credentials(7), capabilities(7)). */
#ifndef TASK_CRED_H
#define TASK_CRED_H

#include <linux/capability.h>

#include "lib/atomic.h"

struct user_ns;

struct cred {
	ref_t refs;
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	struct user_ns *user_ns; /* a reference; what the capabilities below are relative to */
	uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
	uint32_t securebits;
	uint32_t ngroups;
	uint32_t *groups; /* sorted */
};

extern const struct cred kernel_cred; /* of kernel tasks: root with everything; never freed */

#define CAP_ALL ((1ULL << (CAP_LAST_CAP + 1)) - 1)

const struct cred *cred_get(const struct cred *c);
void cred_put(const struct cred *c);
/* A private copy to edit, or NULL. cred_commit publishes it as the current task's and drops the old one. */
struct cred *cred_copy(const struct cred *c);
void cred_commit(struct cred *c);

/* c, not published yet, becomes a member of ns with all capabilities there. */
void cred_enter_user_ns(struct cred *c, struct user_ns *ns);

/* Of the current task, in the initial user namespace: for what no namespace owns. See cred_ns_capable in task/user_ns.h for
 * the rest. */
bool capable(int cap);
/* In the user namespace of the credentials themselves. */
static inline bool cred_own_capable(const struct cred *c, int cap) { return c->cap_effective >> cap & 1; }
bool cred_in_group(const struct cred *c, uint32_t gid); /* fsgid or supplementary */

#endif
