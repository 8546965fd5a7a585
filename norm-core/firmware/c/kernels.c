// The kernels of norm_core::model in plain C, for comparison: what one would write by hand, left to the compiler at -O3.
// Sums are plain: norm-core's are in eight lanes, and compensated from 128 values on.

#include <math.h>
#include <stdint.h>

void c_layer_norm(int n, const float *restrict x, const float *restrict weight, const float *restrict bias, float eps,
                  float *restrict y) {
    float mean = 0, var = 0;
    for (int i = 0; i < n; i++) mean += x[i];
    mean /= n;
    for (int i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean);
    float rstd = 1.0f / sqrtf(var / n + eps);
    for (int i = 0; i < n; i++) y[i] = (x[i] - mean) * rstd * weight[i] + bias[i];
}

void c_dense(int inputs, int neurons, const float *restrict x, const float *restrict weight, const float *restrict bias,
             float *restrict y) {
    for (int i = 0; i < neurons; i++) {
        float sum = bias[i];
        for (int j = 0; j < inputs; j++) sum += weight[i * inputs + j] * x[j];
        y[i] = sum > 0 ? sum : 0;
    }
}

static int8_t requantize(int32_t sum, int32_t multiplier, int shift, int zero, int low, int high) {
    int32_t y = (int32_t)(((int64_t)sum * multiplier + (1LL << (shift - 1))) >> shift) + zero;
    return y < low ? low : y > high ? high : y;
}

void c_dense_i8(int inputs, int neurons, const int8_t *restrict x, const int8_t *restrict weight,
                const int32_t *restrict bias, const int32_t *restrict multiplier, int shift, int zero, int low, int high,
                int8_t *restrict y) {
    for (int i = 0; i < neurons; i++) {
        int32_t sum = bias[i];
        for (int j = 0; j < inputs; j++) sum += weight[i * inputs + j] * x[j];
        y[i] = requantize(sum, multiplier[i], shift, zero, low, high);
    }
}

// Stride 1, no padding.
void c_conv(int channels, int size, int kernel, int out, const float *restrict x, const float *restrict weight,
            const float *restrict bias, float *restrict y) {
    int places = size - kernel + 1;
    for (int o = 0; o < out; o++)
        for (int r = 0; r < places; r++)
            for (int c = 0; c < places; c++) {
                float sum = bias[o];
                for (int i = 0; i < channels; i++)
                    for (int a = 0; a < kernel; a++)
                        for (int b = 0; b < kernel; b++)
                            sum += weight[((o * channels + i) * kernel + a) * kernel + b] *
                                   x[(i * size + r + a) * size + c + b];
                y[(o * places + r) * places + c] = sum > 0 ? sum : 0;
            }
}

void c_conv_i8(int channels, int size, int kernel, int out, const int8_t *restrict x, const int8_t *restrict weight,
               const int32_t *restrict bias, const int32_t *restrict multiplier, int shift, int zero, int low, int high,
               int8_t *restrict y) {
    int places = size - kernel + 1;
    for (int o = 0; o < out; o++)
        for (int r = 0; r < places; r++)
            for (int c = 0; c < places; c++) {
                int32_t sum = bias[o];
                for (int i = 0; i < channels; i++)
                    for (int a = 0; a < kernel; a++)
                        for (int b = 0; b < kernel; b++)
                            sum += weight[((o * channels + i) * kernel + a) * kernel + b] *
                                   x[(i * size + r + a) * size + c + b];
                y[(o * places + r) * places + c] = requantize(sum, multiplier[o], shift, zero, low, high);
            }
}
