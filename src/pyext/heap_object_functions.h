/* SPDX-License-Identifier: MIT
 *
 * The functions of memwhy._memwhy that find objects in the heap and hand them to Python;
 * memwhy/objgraph.py is their face.
 */
#pragma once

#include <Python.h>

extern PyMethodDef mw_heap_object_methods[];
