// SPDX-License-Identifier: Apache-2.0
/* SOL_SOCKET (socket(7)): a table of plain values in struct socket, and the options that need more than a store. */
#include <linux/time_types.h>

#include "lib/string.h"
#include "net/sys_socket.h"
#include "task/task.h"
#include "task/user_ns.h"

#define SOCK_MIN_BUF 2304
#define SOCK_MAX_BUF 212992 /* net.core.wmem_max; doubled as Linux does for its own overhead */

enum kind { FLAG, INT, READ_ONLY, OTHER };

/* One option: a bool or int at a place in struct socket, or functions. */
struct option {
	int16_t name;
	uint8_t kind;
	uint16_t at;
	int (*set)(struct socket *s, int name, const void *val, uint32_t len);
	uint32_t (*get)(struct socket *s, int name, void *val); /* at most 64 bytes; their number */
};

/* ---- functions ------------------------------------------------------------------------------------------------------ */

static int number(const void *val, uint32_t len, int *v)
{
	if (len < sizeof(*v))
		return -EINVAL;
	memcpy(v, val, sizeof(*v));
	return 0;
}

static uint32_t put_number(void *val, int v)
{
	memcpy(val, &v, sizeof(v));
	return sizeof(v);
}

static int set_linger(struct socket *s, int name, const void *val, uint32_t len)
{
	int l[2];
	if (len < sizeof(l))
		return -EINVAL;
	memcpy(l, val, sizeof(l));
	s->linger_on = l[0] != 0;
	s->linger_sec = l[1];
	return 0;
}

static uint32_t get_linger(struct socket *s, int name, void *val)
{
	int l[2] = {s->linger_on, s->linger_sec};
	memcpy(val, l, sizeof(l));
	return sizeof(l);
}

static uint64_t *timeout_of(struct socket *s, int name)
{
	return name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW ? &s->rcvtimeo_ns : &s->sndtimeo_ns;
}

static int set_timeout(struct socket *s, int name, const void *val, uint32_t len)
{
	struct __kernel_old_timeval tv;
	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	*timeout_of(s, name) =
	    tv.tv_sec < 0 ? 1 : (uint64_t)MIN(tv.tv_sec, 9000000000L) * 1000000000 + (uint64_t)tv.tv_usec * 1000;
	return 0;
}

static uint32_t get_timeout(struct socket *s, int name, void *val)
{
	uint64_t ns = *timeout_of(s, name);
	int64_t tv[2] = {(int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000 / 1000)};
	memcpy(val, tv, sizeof(tv));
	return sizeof(tv);
}

static int set_buffer(struct socket *s, int name, const void *val, uint32_t len)
{
	bool force = name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE;
	int v, err = number(val, len, &v);
	if (err)
		return err;
	if (force && !ns_capable(s->net->ns.user_ns, CAP_NET_ADMIN))
		return -EPERM;
	uint32_t n = v < 0 ? SOCK_MAX_BUF : (uint32_t)v;
	if (!force)
		n = MIN(n, (uint32_t)SOCK_MAX_BUF);
	n = MAX(MIN(n, (uint32_t)1 << 29) * 2, (uint32_t)SOCK_MIN_BUF);
	if (name == SO_SNDBUF || name == SO_SNDBUFFORCE)
		s->sndbuf = MAX(n, 4608u);
	else
		s->rcvbuf = n;
	if (s->ops->write_space)
		s->ops->write_space(s);
	return 0;
}

static int set_lowat(struct socket *s, int name, const void *val, uint32_t len)
{
	int v, err = number(val, len, &v);
	if (!err)
		s->rcvlowat = v < 0 ? INT32_MAX : MAX(v, 1);
	return err;
}

static int set_priority(struct socket *s, int name, const void *val, uint32_t len)
{
	int v, err = number(val, len, &v);
	if (!err && (v < 0 || v > 6) && !ns_capable(s->net->ns.user_ns, CAP_NET_ADMIN))
		err = -EPERM;
	if (!err)
		s->priority = v;
	return err;
}

static int set_mark(struct socket *s, int name, const void *val, uint32_t len)
{
	int v, err = number(val, len, &v);
	if (!err && !ns_capable(s->net->ns.user_ns, CAP_NET_ADMIN))
		err = -EPERM;
	if (!err)
		s->mark = v;
	return err;
}

/* One of the two kinds of times at most. */
static int set_timestamp(struct socket *s, int name, const void *val, uint32_t len)
{
	int v, err = number(val, len, &v);
	if (err)
		return err;
	s->timestamp = v && name == SO_TIMESTAMP_OLD;
	s->timestampns = v && name == SO_TIMESTAMPNS_OLD;
	return 0;
}

static uint32_t get_timestamp(struct socket *s, int name, void *val)
{
	return put_number(val, name == SO_TIMESTAMP_OLD ? s->timestamp : s->timestampns);
}

static int set_device(struct socket *s, int name, const void *val, uint32_t len)
{
	char dev[16] = {0};
	memcpy(dev, val, MIN(len, (uint32_t)sizeof(dev) - 1));
	if (*dev && strcmp(dev, "lo"))
		return -ENODEV;
	memcpy(s->device, dev, sizeof(dev));
	return 0;
}

static uint32_t get_device(struct socket *s, int name, void *val)
{
	uint32_t n = *s->device ? (uint32_t)strlen(s->device) + 1 : 0;
	memcpy(val, s->device, n);
	return n;
}

/* Nothing ever comes to a netlink socket of ours that a filter could hold back. */
static int set_filter(struct socket *s, int name, const void *val, uint32_t len)
{
	bool *attached = &s->filtered;
	if (name == SO_DETACH_FILTER) {
		if (!*attached)
			return -ENOENT;
		*attached = false;
		return 0;
	}
	if (s->family != AF_NETLINK)
		return -ENOPROTOOPT;
	*attached = len >= 16;
	return *attached ? 0 : -EINVAL;
}

static uint32_t get_error(struct socket *s, int name, void *val) { return put_number(val, -atomic_xchg(&s->error, 0)); }
static uint32_t get_one(struct socket *s, int name, void *val) { return put_number(val, 1); }
static uint32_t get_zero(struct socket *s, int name, void *val) { return put_number(val, 0); }

static uint32_t get_cookie(struct socket *s, int name, void *val)
{
	memcpy(val, &s->ino, sizeof(s->ino));
	return sizeof(s->ino);
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

#define AT(field) offsetof(struct socket, field)

static const struct option options[] = {
	{SO_REUSEADDR, FLAG, AT(reuseaddr), NULL, NULL},
	{SO_TYPE, READ_ONLY, AT(type), NULL, NULL},
	{SO_ERROR, READ_ONLY, 0, NULL, get_error},
	{SO_DONTROUTE, FLAG, AT(dontroute), NULL, NULL},
	{SO_BROADCAST, FLAG, AT(broadcast), NULL, NULL},
	{SO_SNDBUF, INT, AT(sndbuf), set_buffer, NULL},
	{SO_RCVBUF, INT, AT(rcvbuf), set_buffer, NULL},
	{SO_SNDBUFFORCE, OTHER, 0, set_buffer, NULL},
	{SO_RCVBUFFORCE, OTHER, 0, set_buffer, NULL},
	{SO_KEEPALIVE, FLAG, AT(keepalive), NULL, NULL},
	{SO_OOBINLINE, FLAG, AT(oobinline), NULL, NULL},
	{SO_NO_CHECK, FLAG, AT(no_check), NULL, NULL},
	{SO_PRIORITY, INT, AT(priority), set_priority, NULL},
	{SO_LINGER, OTHER, 0, set_linger, get_linger},
	{SO_REUSEPORT, FLAG, AT(reuseport), NULL, NULL},
	{SO_PASSCRED, FLAG, AT(passcred), NULL, NULL},
	{SO_RCVLOWAT, INT, AT(rcvlowat), set_lowat, NULL},
	{SO_SNDLOWAT, READ_ONLY, 0, NULL, get_one},
	{SO_RCVTIMEO_OLD, OTHER, 0, set_timeout, get_timeout},
	{SO_RCVTIMEO_NEW, OTHER, 0, set_timeout, get_timeout},
	{SO_SNDTIMEO_OLD, OTHER, 0, set_timeout, get_timeout},
	{SO_SNDTIMEO_NEW, OTHER, 0, set_timeout, get_timeout},
	{SO_BINDTODEVICE, OTHER, 0, set_device, get_device},
	{SO_ATTACH_FILTER, OTHER, 0, set_filter, NULL},
	{SO_DETACH_FILTER, OTHER, 0, set_filter, NULL},
	{SO_TIMESTAMP_OLD, OTHER, 0, set_timestamp, get_timestamp},
	{SO_TIMESTAMPNS_OLD, OTHER, 0, set_timestamp, get_timestamp},
	{SO_ACCEPTCONN, READ_ONLY, 0, NULL, get_zero}, /* families that listen answer themselves */
	{SO_MARK, INT, AT(mark), set_mark, NULL},
	{SO_PROTOCOL, READ_ONLY, AT(protocol), NULL, NULL},
	{SO_DOMAIN, READ_ONLY, AT(family), NULL, NULL},
	{SO_RXQ_OVFL, FLAG, AT(rxq_ovfl), NULL, NULL},
	{SO_INCOMING_CPU, INT, AT(incoming_cpu), NULL, NULL},
	{SO_COOKIE, READ_ONLY, 0, NULL, get_cookie},
};

static const struct option *find(int name)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].name == name)
			return &options[i];
	return NULL;
}

int sock_option_set(struct socket *s, int name, const void *val, uint32_t len)
{
	const struct option *o = find(name);
	if (!o || o->kind == READ_ONLY)
		return -ENOPROTOOPT;
	if (o->set)
		return o->set(s, name, val, len);
	int v, err = number(val, len, &v);
	if (err)
		return err;
	if (o->kind == FLAG)
		*(bool *)((char *)s + o->at) = v != 0;
	else
		*(int *)((char *)s + o->at) = v;
	return 0;
}

int sock_option_get(struct socket *s, int name, void *val, uint32_t *len)
{
	const struct option *o = find(name);
	uint8_t value[64];
	if (!o || (o->kind == OTHER && !o->get))
		return -ENOPROTOOPT;
	uint32_t n = o->get            ? o->get(s, name, value)
	             : o->kind == FLAG ? put_number(value, *(bool *)((char *)s + o->at))
	                               : put_number(value, *(int *)((char *)s + o->at));
	if (name == SO_COOKIE && *len < n)
		return -EINVAL;
	*len = MIN(*len, n);
	memcpy(val, value, *len);
	return 0;
}
