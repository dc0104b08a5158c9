/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A platform runs application code (ring 3) for the VMM in host placement and reports every trap. The page tables in
 * guest RAM are the authoritative user mapping; a platform either uses them (kvm) or mirrors them (ptrace). In guest
 * placement (kvm only) it runs the Sentry too, and reports hostcalls.
 *
 * All functions return 0 or -errno unless said otherwise. vcpu functions run on that vCPU's own host thread, except
 * kick. as_* functions run on any vCPU thread.
 */
#ifndef PLATFORM_PLATFORM_H
#define PLATFORM_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/boot.h"
#include "abi/hostcall.h"

struct platform_vcpu; /* opaque, one per vCPU */

struct platform_config {
	int kvm_fd;          /* an open /dev/kvm, or -1 */
	unsigned nr_vcpus;   /* upper bound; threads start lazily */
	int ram_fd;          /* the RAM memfd */
	const char *sentry;  /* "auto", "guest" or "host": where the Sentry shall run */
	const struct sentry_header *image; /* the image as it lies at IMAGE_BASE; NULL: host placement only */
	uint64_t (*image_fixup)(uint64_t rip); /* where a fault of the Sentry at rip continues, or 0 */
};

/* A hostcall of the Sentry in guest placement. */
struct guest_call {
	uint64_t nr, args[6];
	uint64_t rip, rbp; /* for backtraces; valid after an error too */
	char why[120];     /* after an error: what the Sentry did, in words */
};

#define PLATFORM_EXITS 64 /* kinds of exits that are counted */

/* What the boot tree must tell the Sentry. */
struct platform_info {
	uint64_t kernel_pml4[16]; /* entries 208..223 of every PML4; zero where unused */
	uint32_t fpu_size;        /* bytes of an XSAVE area in user_context.fpu */
	uint64_t xcr0;
	uint32_t hwcap2;          /* AT_HWCAP2 of applications (asm/hwcap2.h); FSGSBASE only if any base comes back as it was */
	/* The TSC that ring 3 reads. The VMM sets tsc_ok before init when the host's is invariant; a platform whose
	 * ring 3 sees another one clears it and sets tsc_why. tsc_khz: 0 if the platform does not know better than the VMM. */
	bool tsc_ok;
	uint32_t tsc_khz;
	bool guest;               /* the Sentry runs in the guest: guest_run instead of run_user and as_* */
	char placement_why[128];  /* in words, where there was a choice */
	const char *tsc_why;      /* in words: why the TSC is not used; NULL if it is */
	uint64_t first_run_ns;    /* CLOCK_MONOTONIC of init's first KVM_RUN; 0: it made none */
};

struct platform_ops {
	const char *name;
	/* Once per sandbox, in the final process, after RAM is mapped, before seccomp. */
	int (*init)(const struct platform_config *cfg, struct platform_info *info);
	/* RAM or a file window became part of guest-physical space: [pa, pa + len) is at DIRECT_BASE + pa. */
	int (*add_memory)(uint64_t pa, uint64_t len);
	/* On the vCPU's thread before it enters the Sentry. */
	int (*vcpu_init)(unsigned id, struct vcpu *v, struct platform_vcpu **out);
	/* Contract of run_user_fn and fpu_save_fn in abi/boot.h. Returns at once with TRAP_KICK while *kick is non-zero. */
	int (*run_user)(struct platform_vcpu *pv, struct user_context *uc);
	int (*fpu_save)(struct platform_vcpu *pv, struct user_context *uc);
	/* From any thread: make the vCPU return from run_user with TRAP_KICK soon. v->kick_pending is set already. The VMM
	 * sends its thread a signal as well (KICK_SIGNAL), whose handler calls vcpu_signal. */
	void (*kick)(struct platform_vcpu *pv);
	void (*vcpu_signal)(struct platform_vcpu *pv); /* in the signal handler, on the vCPU's thread: async-signal-safe */
	/* Guest placement, if info->guest says so; else these may be NULL. Runs the vCPU until its next hostcall, which the
	 * caller answers by guest_return. -EINTR: a signal came, look whether the sandbox ends and call again. Other errors
	 * are final; call->why says what it was. */
	int (*guest_run)(struct platform_vcpu *pv, struct guest_call *call);
	void (*guest_return)(struct platform_vcpu *pv, int64_t result);
	/* How often the vCPU left the guest, per kind; names by exit_name, NULL where there is none. Any thread. */
	void (*exits)(const struct platform_vcpu *pv, uint64_t count[PLATFORM_EXITS]);
	const char *(*exit_name)(unsigned kind);
	int (*as_create)(uint64_t cr3);
	/* 1: frames of its page tables must not become page tables again before as_purge. */
	int (*as_destroy)(struct platform_vcpu *pv, uint64_t cr3);
	int (*as_purge)(void); /* may be NULL */
	int (*as_map)(struct platform_vcpu *pv, uint64_t cr3, const struct hc_map *maps, unsigned n);
	int (*as_flush)(struct platform_vcpu *pv, uint64_t cr3, const struct hc_flush *flush);
	/* One window range was emptied or replaced by other file pages (FS_MAP, FS_UNMAP): mirrors drop what they have of it. */
	void (*memory_changed)(uint64_t pa, uint64_t len);
	void (*shutdown)(void);
};

extern const struct platform_ops platform_kvm;
extern const struct platform_ops platform_ptrace;

#define KICK_SIGNAL SIGUSR1
/* sival_int of a platform's own timers that send KICK_SIGNAL: vcpu_signal is called, nothing else happens. */
#define PLATFORM_TIMER 1

/* Can this platform work here? 0, or -errno with a sentence for the user in *why. */
int platform_kvm_probe(int kvm_fd, const char **why);
int platform_ptrace_probe(const char **why);

/* ---- services of the VMM that platforms use (vmm/memory.c, vmm/log.c) ---- */
/* What backs a guest-physical address: a descriptor and an offset that can be mapped MAP_SHARED, for at most *len bytes
 * from there. prot: PROT_* that the backing allows. -EFAULT if nothing does. */
int vmm_memory_backing(uint64_t pa, int *fd, uint64_t *offset, uint64_t *len, int *prot);
/* The TSC of a vCPU that was made after init is not the others': clocks go on without. why: a sentence, static. */
void vmm_tsc_unusable(const char *why);
void vmm_log(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
extern bool vmm_debug;

#endif
