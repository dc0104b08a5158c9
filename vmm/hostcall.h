/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostcall dispatch. A handler gets its six arguments by value; pointers in them are checked with the functions below
 * before use, and what they point to is copied once.
 */
#ifndef VMM_HOSTCALL_H
#define VMM_HOSTCALL_H

#include <stddef.h>
#include <stdint.h>

#include "abi/hostcall.h"

struct vmm_vcpu; /* the calling vCPU, vmm/vcpu.h */

typedef int64_t (*hostcall_handler)(struct vmm_vcpu *v, const uint64_t a[6]);

#define HC_DECLARE(nr, name, family, args, doc) int64_t hc_##name(struct vmm_vcpu *v, const uint64_t a[6]);
HOSTCALLS(HC_DECLARE)
#undef HC_DECLARE

/* The whole range lies in RAM of the direct map: a host pointer to it, or NULL (the handler answers -EFAULT). The bytes
 * stay writable by the guest: copy before deciding. */
void *hc_ram_range(uint64_t addr, uint64_t len);
/* The same for ranges that may also lie in host file windows (sources of FS_PWRITEV): a host access may fault with
 * SIGBUS there, so only system calls may touch them. */
void *hc_io_range(uint64_t addr, uint64_t len);
/* Copy a control structure in or a result out: 0 or -EFAULT. */
int hc_copy_in(void *dst, uint64_t addr, size_t len);
int hc_copy_out(uint64_t addr, const void *src, size_t len);

/* Runs the call on behalf of the vCPU; unknown numbers answer -ENOSYS. */
int64_t hostcall_dispatch(struct vmm_vcpu *v, uint64_t nr, const uint64_t a[6]);

/* Posts an event into the ring and kicks an idle vCPU. Any thread. */
void event_post(uint32_t type, uint32_t id, int64_t arg);

#endif
