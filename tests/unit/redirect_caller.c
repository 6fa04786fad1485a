/* SPDX-License-Identifier: MIT
 *
 * A test subject: reaches the functions of redirect_library in each way there is.
 */
int subject_one(int number);
int subject_two(int number);

typedef int function(int number);

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int caller_calls_one(int number);
EXPORTED int caller_calls_two(int number);
EXPORTED int caller_calls_one_by_pointer(int number);
EXPORTED int caller_calls_one_by_table(int number);
EXPORTED function *const *caller_constant_table(void);
EXPORTED function **caller_variable_table(void);

/* Read-only after relocation, and not. */
static function *const constant_table[] = {subject_one, subject_two};
static function *variable_table[] = {subject_one, subject_two};

int caller_calls_one(int number)
{
    return subject_one(number);
}

int caller_calls_two(int number)
{
    return subject_two(number);
}

/* The address comes from the table of imported addresses. */
int caller_calls_one_by_pointer(int number)
{
    function *volatile pointer = subject_one;

    return pointer(number);
}

int caller_calls_one_by_table(int number)
{
    function *const *volatile table = constant_table;

    return table[0](number);
}

function *const *caller_constant_table(void)
{
    return constant_table;
}

function **caller_variable_table(void)
{
    return variable_table;
}
