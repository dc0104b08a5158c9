/* SPDX-License-Identifier: Apache-2.0 */
/* Structures of hostcalls with contents that pass their checks: what lies behind is to be fuzzed too. */
#define _GNU_SOURCE
#include "fuzz_hostcall_forms.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/hostcall.h"

/* What fuzz_dir_reset makes, and what it does not. */
static const char *const names[] = {"a", "d", "b", "l", "p", "up", "new", ".", "..", "secret", "user.x", "trusted.y"};
static const char *name(unsigned i) { return names[i % (sizeof(names) / sizeof(names[0]))]; }

static void form_create(struct hc_create *c, unsigned v)
{
	static const uint32_t modes[] = {0644, S_IFIFO | 0600, S_IFSOCK | 0600, S_IFCHR | 0600, S_IFREG | 04755};
	static const uint32_t flags[] = {O_RDWR, O_RDONLY, O_WRONLY | O_APPEND, O_RDWR | O_TRUNC};

	*c = (struct hc_create){.mode = modes[v % 5], .flags = flags[v % 4], .rdev_major = v & 3, .name_len = strlen(name(v))};
	strcpy(c->name, name(v));
}

static void form_link(struct hc_link *l, unsigned v)
{
	*l = (struct hc_link){.old_dir = v & 1, .new_dir = v >> 1 & 1, .flags = v >> 2 & 3, .old_len = strlen(name(v)),
		.new_len = strlen(name(v / 3))};
	strcpy(l->old_name, name(v));
	strcpy(l->new_name, name(v / 3));
}

static void form_iov(struct hc_iov *iov, uint64_t buffer, unsigned v)
{
	for (unsigned i = 0; i < 4; i++)
		iov[i] = (struct hc_iov){.addr = buffer + 64 * i, .len = v >> i & 63};
}

static void form_setattr(struct hc_setattr *s, unsigned v)
{
	*s = (struct hc_setattr){.valid = v, .mode = 0600 | (v & 0177), .size = v * 100, .mtime_sec = v, .atime_nsec = v};
}

static void form_xattr(struct hc_xattr *x, uint64_t buffer, unsigned v)
{
	*x = (struct hc_xattr){.op = v & 3, .flags = v >> 2 & 3, .name_len = 6, .size = v, .value = buffer};
	strcpy(x->name, name(10 + (v >> 7)));
}

static void form_address(struct hc_sockaddr *s, unsigned v)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4000 + (v & 3)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(4000 + (v & 3)), .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	s->len = v & 4 ? sizeof(in6) : sizeof(in);
	memcpy(s->data, v & 4 ? (void *)&in6 : (void *)&in, s->len);
}

static void form_msg(struct hc_msg *m, uint64_t buffer, unsigned v)
{
	*m = (struct hc_msg){.niov = v & 3, .iov = buffer - FORM_SPACING, .control = buffer + 512, .control_len = v & 8 ? 64 : 0};
	if (v & 16)
		form_address(&m->name, v >> 5);
}

void fuzz_form(void *dst, unsigned which, uint64_t buffer, unsigned variant)
{
	switch (which % 8) {
	case 0: form_create(dst, variant); break;
	case 1: form_link(dst, variant); break;
	case 2: form_iov(dst, buffer, variant); break;
	case 3: form_setattr(dst, variant); break;
	case 4: form_xattr(dst, buffer, variant); break;
	case 5: {
		struct hc_sockaddr s;

		form_address(&s, variant);
		memcpy(dst, s.data, sizeof(s.data));
		break;
	}
	case 6: form_msg(dst, buffer, variant); break;
	case 7: memcpy(dst, name(variant), strlen(name(variant))); break;
	}
}
