/* What the W1 benchmark costs at the least: one pass over a CSV file of a label and 20 short
 * decimals, and logistic regression by FTRL-Proximal (McMahan et al., "Ad Click Prediction", KDD
 * 2013, algorithm 1), each row scored before it is learned. Nothing is checked: no quotes, no
 * exponents, no missing cells. It is a bound for a program that reads text, not a program to use.
 *
 * cc -O3 -march=native -ffast-math bound.c -o bound -lm
 * bound parse|ftrl FILE.csv      prints the rows and the mean log loss
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FEATURES 20
#define LANES 24 /* the features, the constant, and room to fill vector registers */

static const float ALPHA = 0.1f, BETA = 1.0f;

/* Reads a decimal like -1.2345, and leaves the cursor behind it. */
static inline float decimal(const char **cursor) {
    static const float scale[10] = {1e0f,  1e-1f, 1e-2f, 1e-3f, 1e-4f,
                                    1e-5f, 1e-6f, 1e-7f, 1e-8f, 1e-9f};
    const char *at = *cursor;
    int negative = *at == '-', digits = 0, places = 0;
    at += negative;
    while ((unsigned)(*at - '0') < 10)
        digits = digits * 10 + (*at++ - '0');
    if (*at == '.')
        for (at++; (unsigned)(*at - '0') < 10 && places < 9; places++)
            digits = digits * 10 + (*at++ - '0');
    *cursor = at;
    float value = (float)digits * scale[places];
    return negative ? -value : value;
}

/* The weights that FTRL-Proximal's sums stand for. */
static inline void weights_of(const float *z, const float *n, float *w) {
    for (int i = 0; i < LANES; i++)
        w[i] = -z[i] * ALPHA / (BETA + sqrtf(n[i]));
}

static inline float score(const float *w, const float *x) {
    float sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += w[i] * x[i];
    return 1.0f / (1.0f + expf(-sum));
}

static inline void learn(float *z, float *n, const float *w, const float *x, float error) {
    for (int i = 0; i < LANES; i++) {
        float gradient = error * x[i], square = gradient * gradient;
        float sigma = (sqrtf(n[i] + square) - sqrtf(n[i])) / ALPHA;
        z[i] += gradient - sigma * w[i];
        n[i] += square;
    }
}

int main(int count, char **arguments) {
    if (count != 3)
        return fprintf(stderr, "bound parse|ftrl FILE.csv\n"), 2;
    int is_ftrl = strcmp(arguments[1], "ftrl") == 0;
    int file = open(arguments[2], O_RDONLY);
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0)
        return perror(arguments[2]), 1;
    const char *text = mmap(0, about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (text == MAP_FAILED)
        return perror(arguments[2]), 1;
    const char *at = text, *end = text + about.st_size;
    while (at < end && *at++ != '\n')
        ; /* the header */
    float z[LANES] = {0}, n[LANES] = {0}, w[LANES] = {0}, x[LANES] = {0};
    double loss = 0, checked = 0;
    long rows = 0;
    x[FEATURES] = 1;
    while (at < end) {
        int label = *at++ - '0';
        for (int i = 0; i < FEATURES; i++) {
            at++; /* the comma */
            x[i] = decimal(&at);
        }
        at++; /* the end of the line */
        rows++;
        if (!is_ftrl) {
            checked += x[0] + x[FEATURES - 1];
            continue;
        }
        weights_of(z, n, w);
        float p = score(w, x), given = label ? p : 1 - p;
        loss -= log(given < 1e-15 ? 1e-15 : given);
        learn(z, n, w, x, p - (float)label);
    }
    printf("rows %ld loss %.6f checked %.3f\n", rows, rows ? loss / rows : 0, checked);
    return 0;
}
