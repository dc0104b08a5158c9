// SPDX-License-Identifier: Apache-2.0
/* /sys/class/net: a directory per interface of the reader's network namespace. An entry's number is the interface's index. */
#include "fs/sysfs.h"

#include "lib/string.h"
#include "net/net_show.h"
#include "task/task.h"

#define IFF_RUNNING_ 0x40u

static int device(const struct pseudo_ref *ref, struct net_dev *d)
{
	int err = net_dev_find(current->nsproxy->net, (uint32_t)ref->number, d);
	return err ? err : d->index == ref->number ? 0 : -ENODEV;
}

static int show_number(struct seq *s, const struct pseudo_ref *ref)
{
	const char *name = ref->entry->name;
	struct net_dev d;
	int err = device(ref, &d);
	if (err)
		return err;
	uint64_t v = !strcmp(name, "ifindex") || !strcmp(name, "iflink") ? d.index
	             : !strcmp(name, "mtu")                              ? d.mtu
	             : !strcmp(name, "type")                             ? d.type
	             : !strcmp(name, "tx_queue_len")                     ? d.txqlen
	             : !strcmp(name, "rx_bytes")                         ? d.rx_bytes
	             : !strcmp(name, "tx_bytes")                         ? d.tx_bytes
	             : !strcmp(name, "rx_packets")                       ? d.rx_packets
	             : !strcmp(name, "tx_packets")                       ? d.tx_packets
	             : !strcmp(name, "rx_errors")                        ? d.rx_errors
	             : !strcmp(name, "tx_errors")                        ? d.tx_errors
	             : !strcmp(name, "rx_dropped")                       ? d.rx_dropped
	             : !strcmp(name, "tx_dropped")                       ? d.tx_dropped
	             : !strcmp(name, "multicast")                        ? d.multicast
	             : !strcmp(name, "collisions")                       ? d.collisions
	             : !strcmp(name, "carrier")                          ? !!(d.flags & IFF_RUNNING_)
	                                                                 : 0;
	seq_printf(s, "%llu\n", (unsigned long long)v);
	return 0;
}

static int show_flags(struct seq *s, const struct pseudo_ref *ref)
{
	struct net_dev d;
	int err = device(ref, &d);
	if (!err)
		seq_printf(s, "0x%x\n", d.flags & 0xffbfu); /* without what is computed for readers */
	return err;
}

static int show_address(struct seq *s, const struct pseudo_ref *ref)
{
	struct net_dev d;
	int err = device(ref, &d);
	for (int i = 0; !err && i < 6; i++)
		seq_printf(s, i < 5 ? "%02x:" : "%02x\n", d.hw[i]);
	return err;
}

static int show_operstate(struct seq *s, const struct pseudo_ref *ref)
{
	static const char *const names[] = {"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"};
	struct net_dev d;
	int err = device(ref, &d);
	if (!err)
		seq_printf(s, "%s\n", d.operstate < ARRAY_SIZE(names) ? names[d.operstate] : names[0]);
	return err;
}

static const struct pseudo_entry statistics[] = {
	{"collisions", SYSFS_FILE, .show = show_number}, {"multicast", SYSFS_FILE, .show = show_number},
	{"rx_bytes", SYSFS_FILE, .show = show_number},   {"rx_dropped", SYSFS_FILE, .show = show_number},
	{"rx_errors", SYSFS_FILE, .show = show_number},  {"rx_packets", SYSFS_FILE, .show = show_number},
	{"tx_bytes", SYSFS_FILE, .show = show_number},   {"tx_dropped", SYSFS_FILE, .show = show_number},
	{"tx_errors", SYSFS_FILE, .show = show_number},  {"tx_packets", SYSFS_FILE, .show = show_number},
	{0},
};
static const struct pseudo_entry files[] = {
	{"address", SYSFS_FILE, .show = show_address},
	{"carrier", SYSFS_FILE, .show = show_number},
	{"flags", SYSFS_FILE, .show = show_flags},
	{"ifindex", SYSFS_FILE, .show = show_number},
	{"iflink", SYSFS_FILE, .show = show_number},
	{"mtu", SYSFS_FILE, .show = show_number},
	{"operstate", SYSFS_FILE, .show = show_operstate},
	{"statistics", SYSFS_DIR, .children = statistics},
	{"tx_queue_len", SYSFS_FILE, .show = show_number},
	{"type", SYSFS_FILE, .show = show_number},
	{0},
};

static bool alive(const struct pseudo_ref *ref)
{
	struct net_dev d;
	return !device(ref, &d);
}

static const struct pseudo_entry interface = {"interface", SYSFS_DIR, .children = files, .alive = alive};

int sysfs_net_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out)
{
	struct net_dev d;
	if (net_dev_by_name(current->nsproxy->net, name, len, &d))
		return -ENOENT;
	*out = (struct pseudo_ref){.entry = &interface, .number = d.index};
	return 0;
}

bool sysfs_net_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type)
{
	struct net_dev d;
	if (*cookie > UINT32_MAX || net_dev_find(current->nsproxy->net, (uint32_t)*cookie, &d))
		return false;
	strlcpy(name, d.name, sizeof(d.name));
	*type = 4; /* DT_DIR */
	*cookie = d.index;
	return true;
}
