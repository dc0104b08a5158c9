/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile sandbox: requests to the gofer. The input is cut into requests, each a length byte (how much of the structure
 * differs from zero) and that many bytes; two mounts, one of them read-only.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_vmm.h"
#include "oci/gofer/gofer.h"
#include "oci/gofer/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct gofer_mount mounts[2];
static int lent[2];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[128];

	fuzz_dir_init();
	snprintf(path, sizeof(path), "%s/mount", fuzz_dir);
	mounts[0].fd = open(path, O_PATH | O_DIRECTORY);
	mounts[1].fd = open(path, O_PATH | O_DIRECTORY);
	mounts[1].readonly = true;
	/* To lend: one on a mount that the gofer accepts, one that is not. */
	lent[0] = open(path, O_PATH | O_DIRECTORY);
	lent[1] = open("/proc/self", O_PATH | O_DIRECTORY);
	loans_accept(lent[0], false);
	return 0;
}

/* One field after another gets bytes of the input, names first: most of the structure need not be random. */
static size_t decode(const uint8_t *p, size_t left, struct proto_request *r, char *value)
{
	size_t n = left ? p[0] : 0, used = 1 + (n < left ? n : left - 1);
	const uint8_t *b = p + 1;
	uint8_t f[24] = {0};

	memset(r, 0, sizeof(*r));
	if (used < 2)
		return used;
	memcpy(f, b, used - 1 < sizeof(f) ? used - 1 : sizeof(f));
	r->op = f[0] & 0x80 ? PROTO_CLOSE : HC_FS_ROOT + (f[0] & 31);
	r->dir = f[1] & 4 ? PROTO_LENT : f[1] & 3;
	r->dir2 = f[2] & 4 ? PROTO_LENT : f[2] & 3;
	r->flags = f[3] | f[4] << 8 | f[5] << 16;
	r->mode = f[6] | f[7] << 8;
	r->uid = f[8];
	r->gid = f[9];
	r->xattr_op = f[10] & 7;
	r->want = f[11] << 8;
	r->data_len = f[12] & 31;
	r->cookie = f[13] == 255 ? ~0ull : f[13];
	r->set.valid = f[14];
	r->set.size = (uint64_t)f[15] << (f[16] & 63);
	r->set.mode = f[17];
	memcpy(r->name, b + sizeof(f), used - 1 > sizeof(f) ? (used - 1 - sizeof(f)) / 2 : 0);
	memcpy(r->name2, b + (used - 1 + sizeof(f)) / 2, used - 1 > sizeof(f) ? (used - 1 - sizeof(f)) / 2 : 0);
	memcpy(value, b, r->data_len < used - 1 ? r->data_len : used - 1);
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned runs;
	struct proto_request r;
	char value[32] = {0}, answer[512];
	int pair[2], size_max = 1 << 20;
	unsigned n = 0;

	fuzz_begin();
	ENSURE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size_max, sizeof(size_max));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size_max, sizeof(size_max));
	while (size && n < 16) {
		size_t used = decode(data, size, &r, value);

		data += used;
		size -= used;
		n++;
		if (proto_send(pair[0], &r, sizeof(r), value, r.data_len, lent, r.mode & 3 ? 2 : 0) < 0)
			break;
	}
	shutdown(pair[0], SHUT_WR);
	gofer_serve(pair[1], mounts, runs ? 0 : 2); /* the mounts stay its handles 0 and 1 */
	while (recv(pair[0], answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
	close(pair[0]);
	close(pair[1]);
	fuzz_dir_check();
	if (++runs % 256 == 0)
		fuzz_dir_reset();
	return 0;
}
