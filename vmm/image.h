/* SPDX-License-Identifier: Apache-2.0 */
/* The Sentry image, embedded in this executable. */
#ifndef VMM_IMAGE_H
#define VMM_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/boot.h"

/* Puts the image at IMAGE_BASE. -ENOEXEC with a message if the embedded file is not what it should be. */
int image_load(void);
const struct sentry_header *image_header(void);
bool image_is_text(uint64_t addr);
/* Where a fault at rip continues, or 0. Async-signal-safe. */
uint64_t image_fixup(uint64_t rip);
/* Name of the function that holds addr and the offset in it, or NULL. Async-signal-safe. */
const char *image_symbol(uint64_t addr, uint64_t *offset);

#endif
