/* SPDX-License-Identifier: Apache-2.0 */
/* Boot parameters, read once from the boot tree by the boot vCPU before anything else runs; immutable afterwards. */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "arch/cpu.h"
#include "lib/fdt.h"

#define BOOT_SEED_SIZE 64

struct boot_params {
	struct fdt fdt;
	uint64_t ram_bytes, ram_limit;
	uint32_t nr_cpus;
	uint32_t fpu_size;       /* bytes of every task's XSAVE area */
	uint64_t xcr0;
	uint32_t hwcap2;         /* AT_HWCAP2 of programs */
	bool debug, strace;
	bool guest_placement;
	bool file_access_shared;
	bool allow_suid;         /* set-id bits of programs take effect */
	bool host_network;       /* sockets are the host's (net/host_sock.c) */
	bool clock_ready;        /* clock_init() is done */
	char platform[16];
	char hostname[65];
	uint8_t seed[BOOT_SEED_SIZE]; /* wiped by random_init() */
};

extern struct boot_params boot;
/* Entries 208..223 of every PML4 (host placement); zero where unused. */
extern uint64_t boot_kernel_pml4[16];

static inline struct boot_shared *boot_shared(void) { return (struct boot_shared *)(DIRECT_BASE + BOOT_SHARED_PA); }
static inline struct vcpu *boot_vcpu(uint32_t id)
{
	return (struct vcpu *)(DIRECT_BASE + BOOT_VCPU_PA + id * PAGE_SIZE);
}

/* arch/entry.S jumps here: the vCPU's boot stack becomes the stack of its idle task. */
NORETURN void boot_entry(struct vcpu *v);

#endif
