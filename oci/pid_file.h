/* SPDX-License-Identifier: Apache-2.0 */
/* --pid-file: where engines read the process that they are to watch. */
#ifndef OCI_PID_FILE_H
#define OCI_PID_FILE_H

#include <sys/types.h>

#include "oci/error.h"

/* Replaces the file as a whole. */
struct error *pid_file_write(const char *path, pid_t pid) MUST_CHECK;

#endif
