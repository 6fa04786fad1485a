/* SPDX-License-Identifier: MIT
 *
 * The functions of memwhy._memwhy that ask questions about the heap; memwhy/_heap.py is
 * their face.
 */
#pragma once

#include <Python.h>

extern PyMethodDef mw_heap_methods[];
