/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMM_BOOT_FDT_H
#define VMM_BOOT_FDT_H

/* Writes the boot tree of include/abi/control.h to BOOT_FDT_PA. -E2BIG with a message if the container's description
 * does not fit. */
int boot_fdt_write(void);

#endif
