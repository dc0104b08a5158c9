/* SPDX-License-Identifier: Apache-2.0 */
/* Constants and structures of the socket ABI that the UAPI headers leave to libc. */
#ifndef NET_NET_ABI_H
#define NET_NET_ABI_H

#include <asm/socket.h>
#include <linux/net.h>

#include "lib/types.h"

#define AF_UNSPEC  0
#define AF_UNIX    1
#define AF_INET    2
#define AF_INET6   10
#define AF_NETLINK 16
#define AF_PACKET  17
#define AF_MAX_    46

#define SOL_NETLINK 270

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_RDM       4
#define SOCK_SEQPACKET 5
#define SOCK_TYPE_MASK 0xf
#define SOCK_CLOEXEC   02000000
#define SOCK_NONBLOCK  00004000

#define MSG_OOB          0x1
#define MSG_PEEK         0x2
#define MSG_DONTROUTE    0x4
#define MSG_CTRUNC       0x8
#define MSG_TRUNC        0x20
#define MSG_DONTWAIT     0x40
#define MSG_EOR          0x80
#define MSG_WAITALL      0x100
#define MSG_ERRQUEUE     0x2000
#define MSG_NOSIGNAL     0x4000
#define MSG_MORE         0x8000
#define MSG_WAITFORONE   0x10000
#define MSG_CMSG_CLOEXEC 0x40000000

#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2
#define SOMAXCONN       4096

struct user_msghdr {
	uint64_t name;
	int32_t namelen;
	uint32_t _pad0;
	uint64_t iov, iovlen;
	uint64_t control, controllen;
	uint32_t flags;
	uint32_t _pad1;
};

struct user_mmsghdr {
	struct user_msghdr hdr;
	uint32_t len, _pad;
};

struct user_cmsghdr {
	uint64_t len;
	int32_t level, type;
};
#define CMSG_ALIGN_(n) (((n) + 7) & ~7UL)

#endif
