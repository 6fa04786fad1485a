/* SPDX-License-Identifier: MIT
 *
 * A test subject: a library with functions that others import.
 */
__attribute__((visibility("default"))) int subject_one(int number);
__attribute__((visibility("default"))) int subject_two(int number);

int subject_one(int number)
{
    return number + 1;
}

int subject_two(int number)
{
    return number + 2;
}
