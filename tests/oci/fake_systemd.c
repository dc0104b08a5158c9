/* SPDX-License-Identifier: Apache-2.0 */
/* What of systemd's manager --systemd-cgroup needs, for a bus of the tests' own: prints each call, and ends the job of a unit
 * with the result that is given (done). It makes no cgroups: on version 1 runsc makes those that are not there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

static const char *result = "done";

static int subscribe(sd_bus_message *m, void *data, sd_bus_error *error)
{
	return sd_bus_reply_method_return(m, "");
}

static int start_unit(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *unit;
	int err = sd_bus_message_dump(m, stdout, SD_BUS_MESSAGE_DUMP_WITH_HEADER);

	fflush(stdout);
	if (err >= 0)
		err = sd_bus_message_rewind(m, 1);
	if (err >= 0)
		err = sd_bus_message_read(m, "s", &unit);
	if (err < 0)
		return err;
	if (strcmp(result, "refused") == 0)
		return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "not allowed here");
	err = sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/job/7");
	if (err < 0)
		return err;
	return sd_bus_emit_signal(sd_bus_message_get_bus(m), "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved",
	                          "uoss", 7u, "/org/freedesktop/systemd1/job/7", unit, result);
}

static int set_properties(sd_bus_message *m, void *data, sd_bus_error *error)
{
	int err = sd_bus_message_dump(m, stdout, SD_BUS_MESSAGE_DUMP_WITH_HEADER);

	fflush(stdout);
	return err < 0 ? err : sd_bus_reply_method_return(m, "");
}

static const sd_bus_vtable manager[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Subscribe", "", "", subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", start_unit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetUnitProperties", "sba(sv)", "", set_properties, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
    SD_BUS_VTABLE_END,
};

int main(int argc, char **argv)
{
	sd_bus *bus = NULL;
	int err = sd_bus_open_system(&bus);

	if (argc > 1)
		result = argv[1];
	if (err >= 0)
		err = sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", manager, NULL);
	if (err >= 0)
		err = sd_bus_request_name(bus, "org.freedesktop.systemd1", 0);
	if (err >= 0) {
		puts("ready");
		fflush(stdout);
	}
	while (err >= 0) {
		err = sd_bus_process(bus, NULL);
		if (err == 0)
			err = sd_bus_wait(bus, UINT64_MAX);
		if (err == -EINTR)
			err = 0;
	}
	fprintf(stderr, "fake_systemd: %s\n", strerror(-err));
	return 1;
}
