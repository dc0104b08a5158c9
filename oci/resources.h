/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources of config.json, and the same object as `runsc update` gets it: checked and typed. What is absent is
 * RES_UNSET, an empty list or NULL; as with runc, a 0 means absent where no limit of 0 makes sense. -1 means without limit.
 */
#ifndef OCI_RESOURCES_H
#define OCI_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "oci/json.h"

#define RES_UNSET INT64_MIN
#define RES_ANY   (-1) /* device numbers: all of them */

struct res_device {
	bool allow;
	char type;             /* a, b, c */
	int64_t major, minor;  /* or RES_ANY */
	bool read, write, mknod;
};

/* A block device with a weight or a rate. */
struct res_io {
	int64_t major, minor;
	int64_t value, leaf; /* leaf: leafWeight */
};

enum res_io_list { RES_WEIGHT, RES_READ_BPS, RES_WRITE_BPS, RES_READ_IOPS, RES_WRITE_IOPS, RES_IO_LISTS };

/* hugepageLimits, network.priorities, rdma, unified: something named, and its values. */
struct res_named {
	const char *name, *text;
	int64_t value, value2;
};

struct resources {
	struct {
		int64_t limit, reservation, swap, swappiness, kernel_tcp;
		bool disable_oom_killer, check_before_update;
	} memory;
	struct {
		int64_t shares, quota, period, burst, rt_runtime, rt_period, idle;
		const char *cpus, *mems; /* or NULL */
	} cpu;
	int64_t pids;
	int64_t io_weight, io_leaf_weight;
	struct res_io *io[RES_IO_LISTS];
	unsigned nio[RES_IO_LISTS];
	int64_t classid;
	struct res_named *hugepages, *net_prios, *rdma, *unified;
	unsigned nhugepages, nnet_prios, nrdma, nunified;
	struct res_device *devices;
	unsigned ndevices;
};

/* Nothing set. */
void resources_init(struct resources *r);
/* Reads the object (NULL: none); field is its name in messages, "linux.resources". Errors stay in j. */
void resources_parse(struct json *j, const cJSON *obj, const char *field, struct resources *r);
static inline bool res_set(int64_t v) { return v != RES_UNSET; }
/* A limit above what any machine has is none. */
static inline bool res_limited(int64_t v) { return v > 0 && v < INT64_C(1) << 62; }

#endif
