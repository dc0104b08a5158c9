// SPDX-License-Identifier: Apache-2.0
/*
 * How often vCPUs left the guest, and why; how long the sandbox's start took. Read while they run: each counter has one
 * writer, so that a value is at most a moment old.
 */
#include "vmm/stats.h"

#include <libfdt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "vmm/clock.h"
#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

#define TREE_SIZE 0x20000 /* what does not fit is left out: vCPUs of a high number */

static const char *const hostcall_names[HC_MAX] = {
#define HC_NAME(nr, name, family, args, doc) [nr] = #name,
	HOSTCALLS(HC_NAME)
#undef HC_NAME
};

struct counts {
	uint64_t exits[PLATFORM_EXITS];
	uint64_t hostcalls[HC_MAX];
};

static struct {
	pthread_mutex_t lock;
	_Atomic bool runs;      /* the application: what follows is final */
	bool held;              /* protected by lock, like the rest */
	const char *from;       /* what happened at start_ns */
	uint64_t start_ns;      /* CLOCK_MONOTONIC, as below */
	uint64_t entered_ns;    /* the application's latest entry; 0: none */
	struct counts before;   /* of all vCPUs, until then */
} start = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Adds a vCPU's to *c. */
static void count(const struct vmm_vcpu *vv, struct counts *c)
{
	uint64_t exits[PLATFORM_EXITS] = { 0 };

	if (vmm.ops->exits)
		vmm.ops->exits(vv->pv, exits);
	for (unsigned i = 0; i < PLATFORM_EXITS; i++)
		c->exits[i] += exits[i];
	for (unsigned i = 0; i < HC_MAX; i++)
		c->hostcalls[i] += __atomic_load_n(&vv->hostcalls[i], __ATOMIC_RELAXED);
}

static uint64_t sum(const uint64_t *n, unsigned nr)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < nr; i++)
		all += n[i];
	return all;
}

static const char *exit_name(unsigned kind) { return vmm.ops->exit_name ? vmm.ops->exit_name(kind) : NULL; }

static const char *hostcall_name(unsigned nr) { return hostcall_names[nr]; }

/* ---- the start ---------------------------------------------------------------------------------------------- */

void stats_sentry_starts(void)
{
	pthread_mutex_lock(&start.lock);
	start.start_ns = vmm.info.first_run_ns ? vmm.info.first_run_ns : (uint64_t)clock_read(CLOCK_MONOTONIC);
	start.from = vmm.info.first_run_ns ? "the first KVM_RUN" : "the start of the Sentry";
	pthread_mutex_unlock(&start.lock);
}

bool stats_application_runs(void) { return atomic_load_explicit(&start.runs, memory_order_relaxed); }

void stats_application_entered(void)
{
	pthread_mutex_lock(&start.lock);
	if (!stats_application_runs()) {
		memset(&start.before, 0, sizeof(start.before));
		for (unsigned i = 0; i < vmm.cfg.nr_cpus; i++) {
			const struct vmm_vcpu *vv = vcpu_get(i);
			if (vv)
				count(vv, &start.before);
		}
		start.entered_ns = (uint64_t)clock_read(CLOCK_MONOTONIC);
	}
	pthread_mutex_unlock(&start.lock);
}

void stats_application_began(void)
{
	pthread_mutex_lock(&start.lock);
	if (!stats_application_runs()) {
		atomic_store(&start.runs, true);
		vmm_log(LOG_INFO, "start: %lu us from %s to the first instruction of the application%s, %lu exits",
			(start.entered_ns - start.start_ns) / 1000, start.from, start.held ? ", which was held meanwhile" : "",
			sum(start.before.exits, PLATFORM_EXITS));
	}
	pthread_mutex_unlock(&start.lock);
}

void stats_held(void)
{
	pthread_mutex_lock(&start.lock);
	start.held = true;
	pthread_mutex_unlock(&start.lock);
}

/* ---- the tree ----------------------------------------------------------------------------------------------- */

static int put_list(void *fdt, const char *list, const uint64_t *n, unsigned nr, const char *(*name)(unsigned))
{
	int rc = fdt_begin_node(fdt, list);

	for (unsigned i = 0; !rc && i < nr; i++)
		if (n[i] && name(i))
			rc = fdt_property_u64(fdt, name(i), n[i]);
	return rc ? rc : fdt_end_node(fdt);
}

/* Ends the node that holds them. */
static int put_counts(void *fdt, const struct counts *c)
{
	int rc = put_list(fdt, "exits", c->exits, PLATFORM_EXITS, exit_name);

	if (!rc)
		rc = put_list(fdt, "hostcalls", c->hostcalls, HC_MAX, hostcall_name);
	return rc ? rc : fdt_end_node(fdt);
}

static int put_vcpu(void *fdt, const struct vmm_vcpu *vv)
{
	struct counts c = { 0 };
	char name[24];
	int rc;

	count(vv, &c);
	snprintf(name, sizeof(name), "vcpu@%u", vv->id);
	rc = fdt_begin_node(fdt, name);
	return rc ? rc : put_counts(fdt, &c);
}

static int put_start(void *fdt)
{
	int rc = 0;

	pthread_mutex_lock(&start.lock);
	if (stats_application_runs()) {
		rc = fdt_begin_node(fdt, "start");
		if (!rc)
			rc = fdt_property_string(fdt, "from", start.from);
		if (!rc)
			rc = fdt_property_u64(fdt, "ns", start.entered_ns - start.start_ns);
		if (!rc && start.held)
			rc = fdt_property(fdt, "held", NULL, 0);
		if (!rc)
			rc = put_counts(fdt, &start.before);
	}
	pthread_mutex_unlock(&start.lock);
	return rc;
}

/* A tree with at most so many vCPUs; NULL if they do not fit. */
static void *build(unsigned nr)
{
	void *fdt = malloc(TREE_SIZE);
	int rc = fdt ? fdt_create(fdt, TREE_SIZE) : -1;

	if (!rc)
		rc = fdt_finish_reservemap(fdt);
	if (!rc)
		rc = fdt_begin_node(fdt, "");
	if (!rc)
		rc = fdt_property_u32(fdt, "error", 0);
	if (!rc)
		rc = fdt_property_string(fdt, "platform", vmm.ops->name);
	if (!rc)
		rc = fdt_property_string(fdt, "placement", vmm.info.guest ? "guest" : "host");
	if (!rc)
		rc = fdt_property_string(fdt, "why", vmm.info.placement_why);
	if (!rc)
		rc = clock_without_tsc() ? fdt_property_string(fdt, "tsc-why", clock_without_tsc()) : 0;
	if (!rc && vmm_shows_memory())
		rc = fdt_property_u32(fdt, "meltdown", 1);
	if (!rc)
		rc = put_start(fdt);
	for (unsigned i = 0; !rc && i < nr; i++) {
		const struct vmm_vcpu *vv = vcpu_get(i);
		if (vv)
			rc = put_vcpu(fdt, vv);
	}
	if (!rc)
		rc = fdt_end_node(fdt);
	if (!rc)
		rc = fdt_finish(fdt);
	if (!rc)
		return fdt;
	free(fdt);
	return NULL;
}

void *stats_tree(void)
{
	void *fdt = NULL;

	for (unsigned nr = vmm.cfg.nr_cpus; !fdt && nr; nr /= 2)
		fdt = build(nr);
	return fdt;
}

/* ---- the log ------------------------------------------------------------------------------------------------ */

#define LIST_MAX 900 /* of a log line */

static void log_list(unsigned vcpu, const char *list, const uint64_t *n, unsigned nr, const char *(*name)(unsigned))
{
	char text[LIST_MAX] = "";
	size_t len = 0;

	for (unsigned i = 0; i < nr; i++) {
		if (!n[i] || !name(i))
			continue;
		if (len > sizeof(text) - 64) {
			vmm_log(LOG_INFO, "vCPU %u: %s:%s", vcpu, list, text);
			len = 0;
		}
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s %lu", name(i), n[i]);
	}
	if (len)
		vmm_log(LOG_INFO, "vCPU %u: %s:%s", vcpu, list, text);
}

void stats_log(void)
{
	for (unsigned i = 0; i < vmm.cfg.nr_cpus; i++) {
		const struct vmm_vcpu *vv = vcpu_get(i);
		struct counts c = { 0 };

		if (!vv)
			continue;
		count(vv, &c);
		log_list(i, "exits", c.exits, PLATFORM_EXITS, exit_name);
		log_list(i, "hostcalls", c.hostcalls, HC_MAX, hostcall_name);
	}
}
