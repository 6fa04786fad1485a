/* SPDX-License-Identifier: MIT
 *
 * Prints how often each verdict is given for each kind of program, over many seeds and
 * lengths of series: what docs/leaks.md cites.
 *
 *     leak_rates [SEEDS]
 */
#include "leak_model.h"

#include <stdio.h>

static const uint32_t lengths[] = {16, 24, 40, 60, 120, 256};
enum { LENGTH_COUNT = sizeof lengths / sizeof lengths[0] };

static void print_kind(const model_kind *kind, uint32_t seeds, bool by_length)
{
    static leak_model model;
    static double slopes[MW_TREND_SLOPES_MAXIMUM];

    for (int length = by_length ? 0 : -1; length < (by_length ? LENGTH_COUNT : 0); length++) {
        uint32_t counts[MW_VERDICT_COUNT] = {0}, total = 0;
        for (uint64_t seed = 0; seed < seeds; seed++)
            for (int each = 0; each < LENGTH_COUNT; each++) {
                mw_history history;
                if (length >= 0 && each != length)
                    continue;
                model_begin(&model, lengths[each], seed * 100 + each);
                kind->fill(&model);
                history = model_history(&model);
                counts[mw_leak_judge(&history, slopes).verdict]++;
                total++;
            }
        printf("%-20s", length < 0 ? kind->name : "");
        if (length >= 0)
            printf("%4u ", lengths[length]);
        for (int verdict = 0; verdict < MW_VERDICT_COUNT; verdict++)
            printf(" %7.2f%%%s", 100.0 * counts[verdict] / total,
                   kind->wrong >> verdict & 1     ? "!"
                   : kind->allowed >> verdict & 1 ? "+"
                                                  : " ");
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    uint32_t seeds = argc > 1 ? (uint32_t)atoi(argv[1]) : 100;

    printf("%-20s", "");
    for (int verdict = 0; verdict < MW_VERDICT_COUNT; verdict++)
        printf(" %9.9s", mw_leak_verdict_name((mw_leak_verdict)verdict));
    printf("\n");
    for (int kind = 0; kind < MODEL_KIND_COUNT; kind++)
        print_kind(&model_kinds[kind], seeds, argc > 2);
    return 0;
}
