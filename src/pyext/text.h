/* SPDX-License-Identifier: MIT
 *
 * Text forms, letter for letter those of Lib/tracemalloc.py.
 */
#pragma once

#include <Python.h>

/* Whether a size is a difference, which is shown with its sign. */
typedef enum mw_size_form { MW_SIZE_PLAIN, MW_SIZE_SIGNED } mw_size_form;

/* "10 B", "64.5 KiB", "+1024 MiB": [size] is any real number. */
PyObject *mw_text_size(PyObject *size, mw_size_form form);

/* Python's `format % arguments`.  Steals [arguments], a tuple, which may be NULL with an
 * exception set. */
PyObject *mw_text_percent(const char *format, PyObject *arguments);

/* How many bytes a block has on average: ", average=…", or "" where [count] is false. */
PyObject *mw_text_average(PyObject *size, PyObject *count);
