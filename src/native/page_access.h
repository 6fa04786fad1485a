/* SPDX-License-Identifier: MIT
 *
 * What a page allows now, as the kernel says.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whether [address] may be written to at this moment; false also where /proc does not say. */
bool mw_page_is_writable(uintptr_t address);
