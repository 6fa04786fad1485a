/* SPDX-License-Identifier: MIT
 *
 * The `memwhy` command: picks a row of the command list.  It links no Python; whatever
 * needs an interpreter starts one.
 */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

extern const mw_command mw_command_diff;
extern const mw_command mw_command_doctor;
extern const mw_command mw_command_dump;
extern const mw_command mw_command_heap;
extern const mw_command mw_command_leaks;
extern const mw_command mw_command_merge;
extern const mw_command mw_command_report;
extern const mw_command mw_command_run;
extern const mw_command mw_command_why;

static const mw_command *const command_list[] = {
    &mw_command_run, &mw_command_report, &mw_command_diff, &mw_command_leaks, &mw_command_heap,
    &mw_command_why, &mw_command_doctor, &mw_command_dump, &mw_command_merge,
};

enum { COMMAND_COUNT = sizeof command_list / sizeof command_list[0] };

static const mw_command *find_command(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(command_list[i]->name, name) == 0)
            return command_list[i];
    return NULL;
}

static void print_overview(FILE *stream)
{
    fputs("usage: memwhy COMMAND [ARGUMENTS]\n"
          "       memwhy help COMMAND\n"
          "       memwhy --version\n"
          "\n"
          "Tells where a Python process's memory came from.\n"
          "\n",
          stream);
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-8s %s\n", command_list[i]->name, command_list[i]->summary);
}

static int fail_unknown_command(const char *name)
{
    return mw_command_fail("there is no command \"%s\"; \"memwhy help\" lists them.", name);
}

static int help(const char *name)
{
    const mw_command *command;

    if (name == NULL) {
        print_overview(stdout);
        return MW_EXIT_DONE;
    }
    command = find_command(name);
    if (command == NULL)
        return fail_unknown_command(name);
    return mw_command_help(command);
}

static int run(int argc, char **argv)
{
    const mw_command *command;

    if (argc < 2) {
        print_overview(stderr);
        return MW_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(NULL);
    if (strcmp(argv[1], "help") == 0)
        return help(argv[2]);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("memwhy " MW_VERSION);
        return MW_EXIT_DONE;
    }
    if (argv[1][0] == '-')
        return mw_command_fail("there is no option \"%s\"; see \"memwhy --help\".", argv[1]);
    command = find_command(argv[1]);
    if (command == NULL)
        return fail_unknown_command(argv[1]);
    return command->run(argc - 1, argv + 1);
}

/* What is printed is printed wholly, or the status says that it is not. */
int main(int argc, char **argv)
{
    int status = run(argc, argv);

    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    (void)mw_command_fail("cannot write to standard output: %s.", strerror(errno));
    return status == MW_EXIT_DONE ? MW_EXIT_USAGE : status;
}
