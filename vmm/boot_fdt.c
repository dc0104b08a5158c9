// SPDX-License-Identifier: Apache-2.0
/* The boot tree: the machine as this VMM made it, and the container node as the configuration gave it. */
#include "vmm/boot_fdt.h"

#include <errno.h>
#include <libfdt.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <syslog.h>

#include "vmm/memory.h"
#include "vmm/vmm_impl.h"

/* libfdt's errors are collected: the first one counts. */
struct writer {
	void *fdt;
	int error;
};

static void step(struct writer *w, int err)
{
	if (!w->error)
		w->error = err;
}

static void put(struct writer *w, const char *name, const void *data, int len)
{
	if (!w->error)
		step(w, fdt_property(w->fdt, name, data, len));
}

static void put_u32(struct writer *w, const char *name, uint32_t v)
{
	fdt32_t be = cpu_to_fdt32(v);
	put(w, name, &be, sizeof(be));
}

static void put_u64s(struct writer *w, const char *name, const uint64_t *v, unsigned n)
{
	fdt64_t be[16];

	for (unsigned i = 0; i < n; i++)
		be[i] = cpu_to_fdt64(v[i]);
	put(w, name, be, n * sizeof(be[0]));
}

static void put_string(struct writer *w, const char *name, const char *s) { put(w, name, s, strlen(s) + 1); }

static void begin(struct writer *w, const char *name)
{
	if (!w->error)
		step(w, fdt_begin_node(w->fdt, name));
}

static void end(struct writer *w)
{
	if (!w->error)
		step(w, fdt_end_node(w->fdt));
}

/* Copies a node with everything below it. Depth is bounded by the writer, runsc itself. */
static void copy_node(struct writer *w, const void *from, int node)
{
	int prop, child, len;

	fdt_for_each_property_offset(prop, from, node) {
		const char *name;
		const void *data = fdt_getprop_by_offset(from, prop, &name, &len);
		if (!data) {
			step(w, len);
			return;
		}
		put(w, name, data, len);
	}
	fdt_for_each_subnode(child, from, node) {
		const char *name = fdt_get_name(from, child, &len);
		begin(w, name ? name : "");
		copy_node(w, from, child);
		end(w);
	}
}

static void write_machine(struct writer *w)
{
	uint64_t reg[2] = { 0, memory_ram_end() }, limit = memory_ram_limit();

	put_u32(w, "#address-cells", 2);
	put_u32(w, "#size-cells", 2);
	begin(w, "memory");
	put_u64s(w, "reg", reg, 2);
	put_u64s(w, "limit", &limit, 1);
	end(w);
	begin(w, "cpus");
	put_u32(w, "count", vmm.cfg.nr_cpus);
	put_u32(w, "fpu-size", vmm.info.fpu_size);
	put_u64s(w, "xcr0", &vmm.info.xcr0, 1);
	put_u32(w, "hwcap2", vmm.info.hwcap2);
	end(w);
}

static void write_chosen(struct writer *w, const char *hostname)
{
	uint8_t seed[64];

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		step(w, -FDT_ERR_INTERNAL);
	begin(w, "chosen");
	put_string(w, "hostname", hostname);
	put_u64s(w, "kernel-pml4", vmm.info.kernel_pml4, 16);
	put_u32(w, "debug", vmm.cfg.debug);
	put_u32(w, "strace", vmm.cfg.strace);
	put_u32(w, "allow-suid", vmm.cfg.allow_suid);
	put_string(w, "platform", vmm.ops->name);
	put_string(w, "placement", vmm.info.guest ? "guest" : "host");
	put_string(w, "file-access", vmm.cfg.file_access_shared ? "shared" : "exclusive");
	put_string(w, "network", vmm.cfg.host_network ? "host" : "none");
	put(w, "rng-seed", seed, sizeof(seed));
	end(w);
	explicit_bzero(seed, sizeof(seed));
}

int boot_fdt_write(void)
{
	struct writer w = { .fdt = (void *)(DIRECT_BASE + BOOT_FDT_PA) };
	const void *from = vmm.cfg.container_fdt;
	const char *hostname;
	struct utsname uts;
	int node = -1;

	if (from) {
		if (vmm.cfg.container_fdt_len < sizeof(struct fdt_header) || fdt_check_header(from) ||
		    fdt_totalsize(from) > vmm.cfg.container_fdt_len || (node = fdt_path_offset(from, "/container")) < 0) {
			vmm_log(LOG_ERR, "the container's description is not a device tree with a /container node");
			return -EINVAL;
		}
	}
	hostname = node >= 0 ? fdt_getprop(from, node, "hostname", NULL) : NULL;
	if (!hostname || !*hostname) {
		hostname = uname(&uts) ? "runsc" : uts.nodename;
	}
	step(&w, fdt_create(w.fdt, BOOT_FDT_MAX));
	if (!w.error)
		step(&w, fdt_finish_reservemap(w.fdt));
	begin(&w, "");
	write_machine(&w);
	write_chosen(&w, hostname);
	if (node >= 0) {
		begin(&w, "container");
		copy_node(&w, from, node);
		end(&w);
	}
	end(&w);
	if (!w.error)
		step(&w, fdt_finish(w.fdt));
	if (w.error == -FDT_ERR_NOSPACE) {
		vmm_log(LOG_ERR, "process.args, process.env and mounts together exceed %lu KiB", BOOT_FDT_MAX >> 10);
		return -E2BIG;
	}
	if (w.error) {
		vmm_log(LOG_ERR, "cannot write the boot parameters: %s", fdt_strerror(w.error));
		return -EINVAL;
	}
	return 0;
}
