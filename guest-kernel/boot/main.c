/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start of the Sentry. The first vCPU reads the boot tree, brings every subsystem up, starts the container's first
 * task and becomes idle; the others go to the idle loop at once when the scheduler asks for them.
 */
#include "boot/boot.h"
#include "boot/events.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "mm/page.h"
#include "task/random.h"
#include "task/task.h"

#define VERSION_STRING "runsc 0.1.0"

struct boot_params boot;
uint64_t boot_kernel_pml4[16];

static void read_chosen(const struct fdt *f)
{
	int chosen = fdt_child(f, 0, "chosen");
	uint32_t len;
	const void *p;

	if (chosen < 0)
		panic("boot tree: no /chosen");
	const char *platform = fdt_string(f, chosen, "platform"), *host = fdt_string(f, chosen, "hostname");
	const char *placement = fdt_string(f, chosen, "placement"), *access = fdt_string(f, chosen, "file-access");
	const char *network = fdt_string(f, chosen, "network");
	strlcpy(boot.platform, platform ? platform : "", sizeof(boot.platform));
	strlcpy(boot.hostname, host ? host : "runsc", sizeof(boot.hostname));
	boot.guest_placement = placement && strcmp(placement, "guest") == 0;
	boot.file_access_shared = access && strcmp(access, "shared") == 0;
	boot.host_network = network && strcmp(network, "host") == 0;
	boot.debug = fdt_prop(f, chosen, "debug", &len) && (len == 0 || fdt_u32(f, chosen, "debug", 0));
	boot.strace = fdt_prop(f, chosen, "strace", &len) && (len == 0 || fdt_u32(f, chosen, "strace", 0));
	boot.allow_suid = fdt_u32(f, chosen, "allow-suid", 0);
	log_debug_enabled = boot.debug;
	p = fdt_prop(f, chosen, "kernel-pml4", &len);
	for (uint32_t i = 0; p && i < 16 && len >= (i + 1) * 8; i++)
		boot_kernel_pml4[i] = fdt_load64((const uint8_t *)p + i * 8);
	p = fdt_prop(f, chosen, "rng-seed", &len);
	if (!p || len < BOOT_SEED_SIZE)
		panic("boot tree: /chosen has no rng-seed of %d bytes", BOOT_SEED_SIZE);
	memcpy(boot.seed, p, BOOT_SEED_SIZE);
}

static void read_boot_tree(void)
{
	struct fdt *f = &boot.fdt;
	uint32_t len;

	if (fdt_open(f, (const void *)(DIRECT_BASE + BOOT_FDT_PA), BOOT_FDT_MAX))
		panic("the boot tree is malformed");
	int memory = fdt_child(f, 0, "memory"), cpus = fdt_child(f, 0, "cpus");
	const void *reg = memory < 0 ? NULL : fdt_prop(f, memory, "reg", &len);
	if (!reg || len != 16 || cpus < 0)
		panic("boot tree: /memory or /cpus is missing or malformed");
	boot.ram_bytes = fdt_load64((const uint8_t *)reg + 8);
	boot.ram_limit = fdt_u64(f, memory, "limit", boot.ram_bytes);
	boot.nr_cpus = fdt_u32(f, cpus, "count", 1);
	boot.fpu_size = fdt_u32(f, cpus, "fpu-size", 0);
	boot.xcr0 = fdt_u64(f, cpus, "xcr0", 0);
	boot.hwcap2 = fdt_u32(f, cpus, "hwcap2", 0);
	if (boot.fpu_size < 512 || boot.fpu_size > 65536)
		panic("boot tree: fpu-size %u", boot.fpu_size);
	read_chosen(f);
}

static void banner(void)
{
	pr_info("%s: Sentry of %s placement on platform %s", VERSION_STRING, boot.guest_placement ? "guest" : "host",
	        boot.platform);
	pr_info("Memory: %lu MiB now, at most %lu MiB", boot.ram_bytes >> 20, boot.ram_limit >> 20);
	pr_info("CPUs: %u; XSAVE area of %u bytes, xcr0 0x%lx", boot.nr_cpus, boot.fpu_size, boot.xcr0);
}

static NORETURN void boot_first(struct vcpu *v)
{
	read_boot_tree();
	arch_boot_init();
	page_init(boot.ram_bytes, boot.ram_limit);
	clock_init();
	boot.clock_ready = true;
	banner();
	sched_init();
	random_init();
	mm_init();
	events_init();
	vfs_init();
	control_init();
	container_spawn(&boot.fdt);
	sched_idle_loop();
}

NORETURN void boot_entry(struct vcpu *v)
{
	/* Until here current is unknown: it is kept at the top of this very stack. */
	struct task **slot = (struct task **)((arch_stack_pointer() & ~(KSTACK_SIZE - 1)) + KSTACK_TASK_OFF);

	arch_vcpu_init(v);
	*slot = sched_boot_idle(v->id);
	if (v->id == 0)
		boot_first(v);
	sched_idle_loop();
}
