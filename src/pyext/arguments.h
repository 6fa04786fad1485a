/* SPDX-License-Identifier: MIT
 *
 * Binds call arguments to parameters with the rules and the messages of a function
 * written in Python, because the functions that ours stand in for are written in Python
 * and programs (and tests) read the messages.
 */
#pragma once

#include <Python.h>

/* Whether the function is a method, whose messages count `self` among the arguments. */
typedef enum mw_callee { MW_FUNCTION = 0, MW_METHOD = 1 } mw_callee;

typedef struct mw_parameters {
    const char *function; /* its __qualname__, for messages          */
    const char *const *names;
    int count;    /* of `names`, without `self`              */
    int required; /* how many of them have no default        */
    mw_callee callee;
} mw_parameters;

/* Fills ret_values[0 … count-1] with borrowed references, NULL for each parameter that
 * is left to its default.  Returns 0, or -1 with TypeError. */
int mw_arguments_bind(const mw_parameters *parameters, PyObject *args, PyObject *kwargs,
                      PyObject **ret_values);
