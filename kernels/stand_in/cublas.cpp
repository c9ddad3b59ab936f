// libcublas on the CPU: the functions that `disentangle bench` calls, for tests on the stand-in, whose device memory is the host's. The
// product is the definition, in columns, and done when it is asked for, as all that is sent to the stand-in's default stream.
//
//     DISENTANGLE_STAND_IN_CUBLAS    a file that gets a line for each call
#include <cstdio>
#include <cstdlib>

#define API extern "C" __attribute__((visibility("default"))) int

namespace {

constexpr int SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7;
char own;

template <class... T> void log(const char *format, T... values) {
    const char *path = std::getenv("DISENTANGLE_STAND_IN_CUBLAS");
    FILE *file = path == nullptr ? nullptr : std::fopen(path, "a");
    if (file == nullptr) return;
    std::fprintf(file, format, values...);
    std::fclose(file);
}

struct Matrix {
    int transposed, leading;
    long long stride;
};

// C = alpha op(A) op(B) + beta C, once for each of a batch.
int multiply(void *handle, int m, int n, int k, float alpha, const float *a, Matrix of_a, const float *b, Matrix of_b, float beta, float *c,
             Matrix of_c, int batch) {
    if (handle != &own) return NOT_INITIALIZED;
    const int least_a = of_a.transposed ? k : m, least_b = of_b.transposed ? n : k;
    if (m < 0 || n < 0 || k < 0 || of_a.leading < least_a || of_b.leading < least_b || of_c.leading < m) return INVALID_VALUE;
    auto at = [](const Matrix &of, long long row, long long col) { return of.transposed ? col + row * of.leading : row + col * of.leading; };
    for (int one = 0; one < batch; ++one, a += of_a.stride, b += of_b.stride, c += of_c.stride) {
        for (int j = 0; j < n; ++j) {
            for (int i = 0; i < m; ++i) {
                float sum = 0.0f;
                for (int l = 0; l < k; ++l) sum += a[at(of_a, i, l)] * b[at(of_b, l, j)];
                float &result = c[at(of_c, i, j)];
                result = alpha * sum + (beta == 0.0f ? 0.0f : beta * result);
            }
        }
    }
    return SUCCESS;
}

char letter(int transposed) { return transposed ? 'T' : 'N'; }

} // namespace

API cublasCreate_v2(void **handle) {
    *handle = &own;
    return SUCCESS;
}

API cublasDestroy_v2(void *handle) { return handle == &own ? SUCCESS : NOT_INITIALIZED; }

API cublasGetVersion_v2(void *handle, int *version) {
    *version = 120103;
    return handle == &own ? SUCCESS : NOT_INITIALIZED;
}

API cublasSetMathMode(void *handle, unsigned mode) {
    log("math mode %u\n", mode);
    return handle == &own ? SUCCESS : NOT_INITIALIZED;
}

API cublasSgemm_v2(void *handle, int a_transposed, int b_transposed, int m, int n, int k, const float *alpha, const float *a, int lda,
                   const float *b, int ldb, const float *beta, float *c, int ldc) {
    log("sgemm %c %c m %d n %d k %d ld %d %d %d\n", letter(a_transposed), letter(b_transposed), m, n, k, lda, ldb, ldc);
    return multiply(handle, m, n, k, *alpha, a, {a_transposed, lda, 0}, b, {b_transposed, ldb, 0}, *beta, c, {0, ldc, 0}, 1);
}

API cublasSgemmStridedBatched(void *handle, int a_transposed, int b_transposed, int m, int n, int k, const float *alpha, const float *a,
                              int lda, long long a_stride, const float *b, int ldb, long long b_stride, const float *beta, float *c, int ldc,
                              long long c_stride, int batch) {
    log("batched %c %c m %d n %d k %d ld %d %d %d stride %lld %lld %lld times %d\n", letter(a_transposed), letter(b_transposed), m, n, k,
        lda, ldb, ldc, a_stride, b_stride, c_stride, batch);
    return multiply(handle, m, n, k, *alpha, a, {a_transposed, lda, a_stride}, b, {b_transposed, ldb, b_stride}, *beta, c,
                    {0, ldc, c_stride}, batch);
}
