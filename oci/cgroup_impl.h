/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of cgroups. */
#ifndef OCI_CGROUP_IMPL_H
#define OCI_CGROUP_IMPL_H

#include "oci/cgroup.h"
#include "oci/cgroup_limits.h"
#include "oci/resources.h"

/* cgroup_plan.c: whether an option of a comma-separated list is the first len bytes of one. */
bool cgroup_has_option(const char *list, const char *option, size_t len);
/* The path in the hierarchy whose controllers (or "name=...") are named, of a process whose /proc/PID/cgroup is given; v2: of
 * the unified one. NULL if it is in none. */
char *cgroup_own_path(const char *self, const char *super_options, bool v2);
#define CGROUP_FILE_MAX (4u << 20)

/* cgroup.c: writes one file of the container's cgroup of a controller. A controller that is not there is an error. */
struct error *cgroup_write(const struct cgroup *cg, const char *controller, const char *file, const char *fmt, ...)
    __attribute__((format(printf, 4, 5))) MUST_CHECK;
/* The same with "max" for a value that is no limit. */
struct error *cgroup_write_max(const struct cgroup *cg, const char *controller, const char *file, int64_t v) MUST_CHECK;
struct error *cgroup_write_rdma(const struct cgroup *cg, const struct res_named *r) MUST_CHECK;
bool cgroup_has(const struct cgroup *cg, const char *controller, const char *file);

/* cgroup_v1.c, cgroup_v2.c: makes one missing directory. */
int cgroup_v1_mkdir(const char *dir, bool cpuset);
int cgroup_v2_mkdir(const char *dir);
/* Moves the calling thread. */
int cgroup_v1_move_self(const char *dir);
void cgroup_v2_hand_down(const struct cgroup *cg);
struct error *cgroup_v1_apply(const struct cgroup *cg, const struct resources *r, const struct limits *l) MUST_CHECK;
struct error *cgroup_v2_apply(const struct cgroup *cg, const struct resources *r, const struct limits *l) MUST_CHECK;

/* cgroup_v2.c: CPU shares as a weight of v2. */
uint64_t cgroup_v2_weight(int64_t shares);

/* cgroup_systemd.c: the unit and slice for "slice:prefix:name" (NULL: by the id), and the path below a hierarchy's root. */
struct error *cgroup_systemd_plan(const char *wanted, const char *id, struct cgroup *cg, char **path) MUST_CHECK;
/* Starts the scope with these processes and waits until it has been started. */
struct error *cgroup_systemd_start(const struct cgroup *cg, const pid_t *pids, unsigned n) MUST_CHECK;
struct error *cgroup_systemd_update(const struct cgroup *cg, const struct resources *r, const struct limits *l) MUST_CHECK;

/* cgroup_devices.c: the device list, by devices.allow and devices.deny, or a program attached to a cgroup of v2. */
struct error *cgroup_v1_devices(const struct cgroup *cg, const struct resources *r) MUST_CHECK;
struct error *cgroup_v2_devices(const struct cgroup *cg, const struct resources *r) MUST_CHECK;

#endif
