// SPDX-License-Identifier: Apache-2.0
/*
 * Options of AF_INET and AF_INET6 sockets on loopback: one table of integers, and the few that are more than that (ip(7),
 * ipv6(7), tcp(7)). Most are remembered and have no effect, since there are no packets. Multicast groups cannot be joined:
 * there is no interface for them (ENODEV).
 */
#include <linux/tcp.h>

#include "lib/string.h"
#include "net/inet.h"
#include "task/task.h"

/* <linux/in.h> and <linux/in6.h> by number: they clash with <linux/tcp.h>. */
enum { IP_MTU = 14, IP_ADD_MEMBERSHIP = 35, IP_DROP_MEMBERSHIP = 36, IPV6_ADD_MEMBERSHIP = 20, IPV6_DROP_MEMBERSHIP = 21,
       IPV6_MTU = 24 };

#define LOOPBACK_MTU 65536
#define BOOL 1 /* flags: normalised to 0 and 1; */
#define TCP  2 /* streams only; */
#define UDP  4 /* datagrams only; */
#define DFLT 8 /* -1 stands for the default */

static const struct option {
	uint8_t level, name, opt, flags;
	int min, max, dflt;
} table[] = {
	{IPPROTO_IP_, 1, OPT_TOS, 0, INT32_MIN, INT32_MAX, 0},
	{IPPROTO_IP_, 2, OPT_TTL, DFLT, 1, 255, 64},
	{IPPROTO_IP_, 8, OPT_PKTINFO, BOOL, 0, 0, 0},
	{IPPROTO_IP_, 10, OPT_MTU_DISCOVER, 0, 0, 5, 1},
	{IPPROTO_IP_, 11, OPT_RECVERR, BOOL, 0, 0, 0},
	{IPPROTO_IP_, 12, OPT_RECVTTL, BOOL, 0, 0, 0},
	{IPPROTO_IP_, 13, OPT_RECVTOS, BOOL, 0, 0, 0},
	{IPPROTO_IP_, 15, OPT_FREEBIND, BOOL, 0, 0, 0},
	{IPPROTO_IP_, 20, OPT_RECVORIGDST, BOOL, 0, 0, 0},
	{IPPROTO_IP_, 24, OPT_NO_PORT, BOOL, 0, 0, 0},
	{IPPROTO_IP_, 33, OPT_MC_TTL, DFLT | UDP, 0, 255, 1},
	{IPPROTO_IP_, 34, OPT_MC_LOOP, BOOL, 0, 0, 1},
	{IPPROTO_IP_, 49, OPT_MC_ALL, 0, 0, 1, 1},
	{IPPROTO_IPV6_, 16, OPT_HOPS, DFLT, 0, 255, 64},
	{IPPROTO_IPV6_, 18, OPT_MC_HOPS, DFLT | UDP, 0, 255, 1},
	{IPPROTO_IPV6_, 19, OPT_MC_LOOP6, 0, 0, 1, 1},
	{IPPROTO_IPV6_, 23, OPT_MTU_DISCOVER6, 0, 0, 5, 1},
	{IPPROTO_IPV6_, 25, OPT_RECVERR6, BOOL, 0, 0, 0},
	{IPPROTO_IPV6_, 26, OPT_V6ONLY, BOOL, 0, 0, 0},
	{IPPROTO_IPV6_, 49, OPT_PKTINFO6, BOOL, 0, 0, 0},
	{IPPROTO_IPV6_, 51, OPT_RECVHOPS, BOOL, 0, 0, 0},
	{IPPROTO_IPV6_, 66, OPT_RECVTCLASS, BOOL, 0, 0, 0},
	{IPPROTO_IPV6_, 67, OPT_TCLASS, DFLT, 0, 255, 0},
	{IPPROTO_IPV6_, 74, OPT_RECVORIGDST6, BOOL, 0, 0, 0},
	{IPPROTO_IPV6_, 78, OPT_FREEBIND6, BOOL, 0, 0, 0},
	{IPPROTO_TCP_, TCP_NODELAY, OPT_NODELAY, BOOL | TCP, 0, 0, 0},
	{IPPROTO_TCP_, TCP_MAXSEG, OPT_MAXSEG, TCP, 88, 32767, 536},
	{IPPROTO_TCP_, TCP_CORK, OPT_CORK, BOOL | TCP, 0, 0, 0},
	{IPPROTO_TCP_, TCP_KEEPIDLE, OPT_KEEPIDLE, TCP, 1, 32767, 7200},
	{IPPROTO_TCP_, TCP_KEEPINTVL, OPT_KEEPINTVL, TCP, 1, 32767, 75},
	{IPPROTO_TCP_, TCP_KEEPCNT, OPT_KEEPCNT, TCP, 1, 127, 9},
	{IPPROTO_TCP_, TCP_SYNCNT, OPT_SYNCNT, TCP, 1, 127, 6},
	{IPPROTO_TCP_, TCP_LINGER2, OPT_LINGER2, TCP, INT32_MIN, INT32_MAX, 60},
	{IPPROTO_TCP_, TCP_DEFER_ACCEPT, OPT_DEFER, TCP, INT32_MIN, INT32_MAX, 0},
	{IPPROTO_TCP_, TCP_WINDOW_CLAMP, OPT_CLAMP, TCP, 0, INT32_MAX, 0},
	{IPPROTO_TCP_, TCP_QUICKACK, OPT_QUICKACK, BOOL | TCP, 0, 0, 1},
	{IPPROTO_TCP_, TCP_USER_TIMEOUT, OPT_USER_TIMEOUT, TCP, 0, INT32_MAX, 0},
	{IPPROTO_TCP_, TCP_FASTOPEN, OPT_FASTOPEN, TCP, 0, INT32_MAX, 0},
	{IPPROTO_TCP_, TCP_NOTSENT_LOWAT, OPT_NOTSENT, TCP, 0, INT32_MAX, 0},
	{IPPROTO_TCP_, TCP_INQ, OPT_INQ, TCP, 0, 1, 0},
};

void inet_options_default(struct inet_sock *u)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(table); i++)
		u->opt[table[i].opt] = table[i].dflt;
}

static bool has_level(const struct socket *s, int level)
{
	return level == SOL_SOCKET || level == IPPROTO_IP_ || (level == IPPROTO_IPV6_ && s->family == AF_INET6) ||
	       (level == IPPROTO_TCP_ && s->type == SOCK_STREAM) || (level == IPPROTO_UDP_ && s->type == SOCK_DGRAM);
}

static const struct option *find(const struct socket *s, int level, int name)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].level == level && table[i].name == name)
			return has_level(s, level) ? &table[i] : NULL;
	return NULL;
}

/* ---- setting ---------------------------------------------------------------------------------------------------- */

static int set_congestion(const void *val, uint32_t len)
{
	char name[16] = {0};
	memcpy(name, val, MIN(len, (uint32_t)sizeof(name) - 1));
	if (!len)
		return -EINVAL;
	return strcmp(name, "cubic") && strcmp(name, "reno") ? -ENOENT : 0;
}

static int set_other(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	if (level == IPPROTO_TCP_ && s->type == SOCK_STREAM && name == TCP_CONGESTION)
		return set_congestion(val, len);
	bool join = (level == IPPROTO_IP_ && name == IP_ADD_MEMBERSHIP) || (level == IPPROTO_IPV6_ && name == IPV6_ADD_MEMBERSHIP);
	bool leave = (level == IPPROTO_IP_ && name == IP_DROP_MEMBERSHIP) || (level == IPPROTO_IPV6_ && name == IPV6_DROP_MEMBERSHIP);
	if (has_level(s, level) && (join || leave))
		return len < 8 ? -EINVAL : join ? -ENODEV : -EADDRNOTAVAIL;
	return -ENOPROTOOPT;
}

/* What Linux makes of a value besides its range. */
static int adjust(struct inet_sock *u, const struct option *o, int *v)
{
	switch (o->opt) {
	case OPT_V6ONLY:
		return u->self.port ? -EINVAL : 0;
	case OPT_TOS:
		*v &= 255;
		if (u->s.type == SOCK_STREAM) /* the bits of ECN are TCP's own */
			*v = (*v & ~3) | (u->opt[OPT_TOS] & 3);
		return 0;
	case OPT_FASTOPEN:
		return u->state == INET_CLOSED || u->state == INET_LISTENING ? 0 : -EINVAL;
	case OPT_CLAMP:
		return !*v && u->state != INET_CLOSED ? -EINVAL : 0;
	case OPT_LINGER2:
		*v = *v < 0 || *v > 120 ? -1 : *v ? *v : 60;
		return 0;
	case OPT_DEFER:
		*v = MAX(*v, 0);
		return 0;
	}
	return 0;
}

int inet_setsockopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	struct inet_sock *u = inet_of(s);
	const struct option *o = find(s, level, name);
	int v = 0;
	if (!o)
		return set_other(s, level, name, val, len);
	if (o->flags & UDP && s->type == SOCK_STREAM)
		return level == IPPROTO_IPV6_ ? -ENOPROTOOPT : -EINVAL;
	if (len >= sizeof(v))
		memcpy(&v, val, sizeof(v));
	else if (level == IPPROTO_IP_ && (len || (o->opt != OPT_TTL && o->opt != OPT_MC_TTL && o->opt != OPT_MC_LOOP)))
		v = len ? *(const uint8_t *)val : 0;
	else
		return -EINVAL;
	if (o->flags & BOOL)
		v = v != 0;
	else if (o->flags & DFLT && v == -1)
		v = o->dflt;
	else if (v < o->min || v > o->max)
		return -EINVAL;
	int err = adjust(u, o, &v);
	if (!err)
		u->opt[o->opt] = v;
	return err;
}

/* ---- getting ---------------------------------------------------------------------------------------------------- */

int inet_tcp_state(struct inet_sock *u)
{
	enum { ESTABLISHED = 1, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, LISTEN };
	spin_lock(&u->lock);
	bool ours = u->shutdown & SEND_SHUT, theirs = u->fin;
	int st = u->state == INET_LISTENING    ? LISTEN
	         : u->state == INET_CONNECTING ? SYN_SENT
	         : u->state == INET_CLOSED     ? CLOSE
	         : ours && theirs              ? CLOSE
	         : ours                        ? FIN_WAIT2
	         : theirs                      ? CLOSE_WAIT
	                                       : ESTABLISHED;
	spin_unlock(&u->lock);
	return st;
}

static void fill_info(struct inet_sock *u, struct tcp_info *t)
{
	*t = (struct tcp_info){
		.tcpi_state = (uint8_t)inet_tcp_state(u), .tcpi_options = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE,
		.tcpi_snd_wscale = 7, .tcpi_rcv_wscale = 7, .tcpi_rto = 201000, .tcpi_ato = 40000, .tcpi_snd_mss = 32768,
		.tcpi_rcv_mss = 32768, .tcpi_pmtu = LOOPBACK_MTU, .tcpi_rcv_ssthresh = 65483, .tcpi_rtt = 20, .tcpi_rttvar = 10,
		.tcpi_snd_ssthresh = 0x7fffffff, .tcpi_snd_cwnd = 10, .tcpi_advmss = 65483, .tcpi_reordering = 3,
		.tcpi_rcv_space = u->s.rcvbuf / 2,
	};
	if (u->state == INET_LISTENING) {
		t->tcpi_unacked = u->nbacklog;
		t->tcpi_sacked = u->max_backlog;
	}
}

static int get_other(struct inet_sock *u, int level, int name, void *val, uint32_t *len)
{
	static const char congestion[16] = "cubic";
	bool tcp = level == IPPROTO_TCP_ && u->s.type == SOCK_STREAM;
	struct tcp_info info;
	int v = 0;
	const void *from = &v;
	uint32_t size = sizeof(v);
	if (level == SOL_SOCKET && name == SO_ACCEPTCONN) {
		v = READ_ONCE(u->state) == INET_LISTENING;
	} else if (tcp && name == TCP_INFO) {
		fill_info(u, &info);
		from = &info;
		size = sizeof(info);
	} else if (tcp && name == TCP_CONGESTION) {
		from = congestion;
		size = sizeof(congestion);
	} else if ((level == IPPROTO_IP_ && name == IP_MTU) || (level == IPPROTO_IPV6_ && name == IPV6_MTU && has_level(&u->s, level))) {
		if (READ_ONCE(u->state) != INET_CONNECTED)
			return -ENOTCONN;
		v = LOOPBACK_MTU;
	} else {
		return has_level(&u->s, level) || u->s.family == AF_INET6 || level == IPPROTO_TCP_ ? -ENOPROTOOPT : -EOPNOTSUPP;
	}
	*len = MIN(*len, size);
	memcpy(val, from, *len);
	return 0;
}

int inet_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct inet_sock *u = inet_of(s);
	const struct option *o = find(s, level, name);
	if (!o)
		return get_other(u, level, name, val, len);
	int v = o->opt == OPT_MAXSEG && READ_ONCE(u->state) == INET_CONNECTED ? 32768 : u->opt[o->opt];
	uint8_t byte = (uint8_t)v;
	/* SOL_IP tells small values in a byte where there is no room for more. */
	if (level == IPPROTO_IP_ && *len && *len < sizeof(v) && v >= 0 && v <= 255) {
		*len = 1;
		memcpy(val, &byte, 1);
		return 0;
	}
	*len = MIN(*len, (uint32_t)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}
