/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/util.h"

#define OPT(name, letter, kind, field, value, help) {name, letter, kind, offsetof(struct options, field), value, help}

const struct flag global_flags[] = {
    OPT("root", 0, FLAG_STRING, root, "DIR", "directory of container states (default /run/runsc; without root $XDG_RUNTIME_DIR/runsc or /tmp/runsc-UID)"),
    OPT("log", 0, FLAG_STRING, log, "FILE", "file for errors and warnings"),
    OPT("log-format", 0, FLAG_CHOICE, log_format, "text|json", "format of messages"),
    OPT("debug", 0, FLAG_BOOL, debug, NULL, "log what the runtime and the Sentry do"),
    OPT("debug-log", 0, FLAG_STRING, debug_log, "FILE", "file for debug messages; a directory if it ends in /"),
    OPT("strace", 0, FLAG_BOOL, strace, NULL, "log every system call of the container"),
    OPT("platform", 0, FLAG_CHOICE, platform, "auto|kvm|ptrace", "how application code is run; auto: kvm where /dev/kvm opens"),
    OPT("sentry", 0, FLAG_CHOICE, sentry, "auto|guest|host", "where the Sentry runs: in the virtual machine or in the sandbox process"),
    OPT("tsc", 0, FLAG_CHOICE, tsc, "auto|trust|never", "whether clocks rely on the time stamp counter; auto: where the CPU and Linux do"),
    OPT("network", 0, FLAG_CHOICE, network, "none|host|sandbox", "host: sockets of the container's network namespace; none: a loopback of the sandbox's own"),
    OPT("file-access", 0, FLAG_CHOICE, file_access, "exclusive|shared",
        "whether others change the container's files meanwhile (default: shared; do: exclusive)"),
    OPT("overlay2", 0, FLAG_STRING, overlay2, "none|root:memory|all:memory", "writable overlay in memory over the root, or over all mounts"),
    OPT("directfs", 0, FLAG_BOOL, directfs, NULL, "let the sandbox use descriptors of the gofer's directories (default true)"),
    OPT("host-uds", 0, FLAG_CHOICE, host_uds, "none|open|create|all", "sockets in the container's files that programs outside use: none"),
    OPT("host-fifo", 0, FLAG_CHOICE, host_fifo, "none|open", "FIFOs in the container's files that programs outside use: none"),
    OPT("systemd-cgroup", 0, FLAG_BOOL, systemd_cgroup, NULL, "have systemd make the cgroups; linux.cgroupsPath is slice:prefix:name then"),
    OPT("allow-suid", 0, FLAG_BOOL, allow_suid, NULL, "let set-user-ID and set-group-ID bits of programs take effect (default false)"),
    OPT("ignore-cgroups", 0, FLAG_BOOL, ignore_cgroups, NULL, "make and join no cgroups"),
    OPT("cpus", 0, FLAG_UINT, cpus, "N", "CPUs that the container sees (default: all that runsc may use)"),
    OPT("memory", 0, FLAG_SIZE, memory, "SIZE", "memory that the container sees (default: the host's)"),
    OPT("allow-flag-override", 0, FLAG_BOOL, allow_flag_override, NULL, "let annotations dev.gvisor.flag.NAME of a container set some global flags"),
    /* Of runc, accepted since engines give them. */
    OPT("rootless", 0, FLAG_STRING, ignored_string, NULL, NULL),
    OPT("criu", 0, FLAG_STRING, ignored_string, NULL, NULL),
    OPT("version", 'v', FLAG_BOOL, show_version, NULL, "print the version"),
    {0},
};

void options_default(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->log_format = "text";
	o->platform = "auto";
	o->sentry = "auto";
	o->tsc = "auto";
	o->network = "host";
	o->host_uds = "none";
	o->host_fifo = "none";
	o->directfs = true;
}

struct error *options_overlay(const struct options *o, enum overlay_mode dflt, enum overlay_mode *out)
{
	const char *v = o->overlay2;

	if (!v)
		*out = dflt;
	else if (strcmp(v, "none") == 0)
		*out = OVERLAY_NONE;
	else if (strcmp(v, "root:memory") == 0)
		*out = OVERLAY_ROOT;
	else if (strcmp(v, "all:memory") == 0)
		*out = OVERLAY_ALL;
	else if (has_prefix(v, "root:") || has_prefix(v, "all:"))
		return error_new("--overlay2: \"%s\": only the medium \"memory\" is supported", v);
	else
		return error_new("--overlay2: \"%s\" is not one of none|root:memory|all:memory", v);
	return NULL;
}

bool options_shared_files(const struct options *o, bool dflt)
{
	return o->file_access ? strcmp(o->file_access, "shared") == 0 : dflt;
}

/* As runc: a user's own directory, also where the user is root of a user namespace (rootless Podman). */
static const char *default_root(void)
{
	const char *run = getenv("XDG_RUNTIME_DIR"), *user = getenv("USER");
	bool other = geteuid() != 0 || (run && (!user || strcmp(user, "root") != 0) && in_user_namespace());

	if (!other)
		return "/run/runsc";
	return run && *run ? xasprintf("%s/runsc", run) : xasprintf("/tmp/runsc-%u", geteuid());
}

struct error *options_check(struct options *o)
{
	enum overlay_mode mode;

	if (!o->root)
		o->root = default_root();
	if (o->root[0] != '/') {
		char *cwd = getcwd(NULL, 0);

		o->root = xasprintf("%s/%s", cwd ? cwd : "", o->root);
		free(cwd);
	}
	if (strcmp(o->network, "sandbox") == 0)
		return error_new("--network=sandbox: there is no network stack in the sandbox yet; use --network=host or none");
	if (strcmp(o->host_uds, "none") != 0)
		return error_new("--host-uds=%s is not supported: a socket in the container's files connects programs of the container "
		                 "only; leave the flag out, or use --host-uds=none", o->host_uds);
	if (strcmp(o->host_fifo, "none") != 0)
		return error_new("--host-fifo=%s is not supported: a FIFO in the container's files connects programs of the container "
		                 "only; leave the flag out, or use --host-fifo=none", o->host_fifo);
	if (strcmp(o->sentry, "guest") == 0 && strcmp(o->platform, "ptrace") == 0)
		return error_new("--sentry=guest needs a virtual machine: it cannot be used with --platform=ptrace");
	if (o->cpus > 256)
		return error_new("--cpus: %u is more than the 256 that are supported", o->cpus);
	if (o->memory && o->memory < (64u << 20))
		return error_new("--memory: %llu bytes are too few; the least is 64m", (unsigned long long)o->memory);
	return options_overlay(o, OVERLAY_NONE, &mode);
}

static struct error *override_one(struct options *out, const char *name, const char *value)
{
	static const char *const allowed[] = {"cpus", "debug", "directfs", "file-access", "memory", "network", "overlay2", "platform",
	                                      "sentry", "strace", NULL};
	bool known;
	struct error *e;

	for (const char *const *a = allowed; *a; a++)
		if (strcmp(*a, name) == 0) {
			e = flags_set(global_flags, out, name, value, &known);
			return error_wrap(e, "annotations: dev.gvisor.flag.%s", name);
		}
	return error_new("annotations: dev.gvisor.flag.%s: this flag cannot be set by an annotation", name);
}

struct error *options_override(const struct options *o, const cJSON *annotations, struct options *out)
{
	static const char *const prefixes[] = {"dev.gvisor.flag.", "dev.runsc.flag."};
	const cJSON *item;

	*out = *o;
	cJSON_ArrayForEach(item, annotations)
		for (unsigned i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
			struct error *e = NULL;

			if (!has_prefix(item->string, prefixes[i]))
				continue;
			if (!o->allow_flag_override)
				e = error_new("annotations: %s: not permitted without --allow-flag-override", item->string);
			else
				e = override_one(out, item->string + strlen(prefixes[i]), item->valuestring);
			if (e)
				return e;
		}
	return options_check(out);
}
