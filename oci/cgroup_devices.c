/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices of the host the sandbox's processes may open or make. The container's own devices are the Sentry's, so
 * this is only a second wall; it is as good as runc's. A list starts from "nothing"; the latest rule that matches decides
 * each kind of access; the devices that runc allows in any case come last.
 *
 * Version 2 has no files for it but a program that the kernel asks: built here instruction by instruction, from the last
 * rule to the first. r2 holds the kinds of access that no rule has decided yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oci/cgroup_impl.h"
#include "oci/util.h"

#define INSNS_PER_RULE 8

static const struct res_device defaults[] = {
    {true, 'c', RES_ANY, RES_ANY, .mknod = true},
    {true, 'b', RES_ANY, RES_ANY, .mknod = true},
    {true, 'c', 1, 3, true, true, true},           /* null */
    {true, 'c', 1, 5, true, true, true},           /* zero */
    {true, 'c', 1, 7, true, true, true},           /* full */
    {true, 'c', 1, 8, true, true, true},           /* random */
    {true, 'c', 1, 9, true, true, true},           /* urandom */
    {true, 'c', 5, 0, true, true, true},           /* tty */
    {true, 'c', 5, 2, true, true, true},           /* ptmx */
    {true, 'c', 136, RES_ANY, true, true, true},   /* pts */
};
#define NR_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

/* ---- version 1 ---------------------------------------------------------------------------------------------------- */

static void put_number(char *buf, size_t size, int64_t n)
{
	if (n == RES_ANY)
		snprintf(buf, size, "*");
	else
		snprintf(buf, size, "%lld", (long long)n);
}

static struct error *write_rule(const struct cgroup *cg, const struct res_device *d, char type)
{
	const char *file = d->allow ? "devices.allow" : "devices.deny";
	char major[24], minor[24];

	put_number(major, sizeof(major), d->major);
	put_number(minor, sizeof(minor), d->minor);
	return cgroup_write(cg, "devices", file, "%c %s:%s %s%s%s", type, major, minor, d->read ? "r" : "", d->write ? "w" : "",
	                    d->mknod ? "m" : "");
}

/* To the kernel "a" is everything, whatever follows it. */
static struct error *write_device(const struct cgroup *cg, const struct res_device *d)
{
	struct error *e;

	if (d->type != 'a')
		return write_rule(cg, d, d->type);
	if (d->major == RES_ANY && d->minor == RES_ANY && d->read && d->write && d->mknod)
		return cgroup_write(cg, "devices", d->allow ? "devices.allow" : "devices.deny", "a");
	e = write_rule(cg, d, 'b');
	return e ? e : write_rule(cg, d, 'c');
}

struct error *cgroup_v1_devices(const struct cgroup *cg, const struct resources *r)
{
	struct error *e = cgroup_write(cg, "devices", "devices.deny", "a");

	for (unsigned i = 0; !e && i < r->ndevices; i++)
		e = write_device(cg, &r->devices[i]);
	for (unsigned i = 0; !e && i < NR_DEFAULTS; i++)
		e = write_device(cg, &defaults[i]);
	return e;
}

/* ---- version 2 ---------------------------------------------------------------------------------------------------- */

struct program {
	struct bpf_insn *insn;
	unsigned n;
};

static void emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	p->insn[p->n++] = (struct bpf_insn){.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static void emit_rule(struct program *p, const struct res_device *d)
{
	uint32_t access = (d->mknod ? BPF_DEVCG_ACC_MKNOD : 0) | (d->read ? BPF_DEVCG_ACC_READ : 0) | (d->write ? BPF_DEVCG_ACC_WRITE : 0);
	unsigned start = p->n, jumps[4], n = 0;

	if (d->type != 'a')
		emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_3, 0, 0, d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (d->major != RES_ANY)
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_4, 0, 0, (int32_t)d->major);
	if (d->minor != RES_ANY)
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_5, 0, 0, (int32_t)d->minor);
	for (unsigned i = start; i < p->n; i++)
		jumps[n++] = i;
	if (d->allow) {
		emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, (int32_t)~access);
		jumps[n++] = p->n;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 0, 0);
	} else {
		emit(p, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_0, BPF_REG_2, 0, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_0, 0, 0, (int32_t)access);
		jumps[n++] = p->n;
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, 0);
	}
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, d->allow);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (unsigned i = 0; i < n; i++)
		p->insn[jumps[i]].off = (int16_t)(p->n - jumps[i] - 1);
}

static void build(struct program *p, const struct resources *r)
{
	p->insn = xcalloc((r->ndevices + NR_DEFAULTS) * INSNS_PER_RULE + 16, sizeof(*p->insn));
	emit(p, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	emit(p, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_3, 0, 0, 0xffff);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_2, 0, 0, 16);
	emit(p, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	emit(p, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	for (unsigned i = NR_DEFAULTS; i--;)
		emit_rule(p, &defaults[i]);
	for (unsigned i = r->ndevices; i--;)
		emit_rule(p, &r->devices[i]);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int load(const struct program *p)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uint64_t)(uintptr_t)p->insn;
	a.insn_cnt = p->n;
	a.license = (uint64_t)(uintptr_t) "Apache-2.0";
	return syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a));
}

struct error *cgroup_v2_devices(const struct cgroup *cg, const struct resources *r)
{
	AUTO_FD dir = open(cg->path[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct program p = {0};
	AUTO_FD fd = -1;
	union bpf_attr a;

	if (dir < 0)
		return error_errno(errno, "cgroups: cannot open %s", cg->path[0]);
	build(&p, r);
	fd = load(&p);
	free(p.insn);
	if (fd < 0)
		return error_errno(errno, "linux.resources.devices: the kernel does not take the program of %u instructions", p.n);
	memset(&a, 0, sizeof(a));
	a.attach_type = BPF_CGROUP_DEVICE;
	a.target_fd = dir;
	a.attach_bpf_fd = fd;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof(a)) < 0)
		return error_errno(errno, "linux.resources.devices: cannot attach the program to %s", cg->path[0]);
	return NULL;
}
