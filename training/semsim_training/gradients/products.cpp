// The products of rows with targets and their squared lengths, and the gradient of both, each in one pass over memory.
#include "vectors.hpp"

namespace {

constexpr Size together = 4;  // vectors that are summed beside each other, so that no sum waits for the last one
constexpr Size block = 4096;  // values whose sum is kept in the rows' own precision

template <class T>
T total(const typename Lanes<T>::Vector* vectors) {
    T sum = 0;
    for (Size v = 0; v < together; v++)
        for (Size lane = 0; lane < Lanes<T>::count; lane++) sum += vectors[v][lane];
    return sum;
}

// Writes <a, b> and <a, a> of each row.
template <class T>
void products(const T* a, const T* b, T* dots, T* squares, Size rows, Size length) {
    constexpr Size lanes = Lanes<T>::count, step = together * lanes;
    for (Size row = 0; row < rows; row++, a += length, b += length) {
        double dot = 0, square = 0;
        for (Size start = 0; start < length; start += block) {
            const Size end = std::min(start + block, length);
            typename Lanes<T>::Vector to_dot[together] = {}, to_square[together] = {};
            Size i = start;
            for (; i + step <= end; i += step)
#pragma GCC unroll 4
                for (Size v = 0; v < together; v++) {
                    const auto one = load<T, true>(a + i + v * lanes, lanes), other = load<T, true>(b + i + v * lanes, lanes);
                    to_dot[v] += one * other;
                    to_square[v] += one * one;
                }
            for (; i < end; i++) dot += a[i] * b[i], square += a[i] * a[i];
            dot += total<T>(to_dot), square += total<T>(to_square);
        }
        dots[row] = T(dot), squares[row] = T(square);
    }
}

// Writes the gradient by a, where `to_dots` and `to_squares` are those by the products.
template <class T>
void adjoint(const T* a, const T* b, const T* to_dots, const T* to_squares, T* by_a, Size rows, Size length) {
    for (Size row = 0; row < rows; row++, a += length, b += length, by_a += length) {
        const T dot = to_dots[row], square = 2 * to_squares[row];
#pragma GCC ivdep
        for (Size i = 0; i < length; i++) by_a[i] = square * a[i] + dot * b[i];
    }
}

}  // namespace

#define EXPORT(T)                                                                                                     \
    extern "C" void products_##T(const T* a, const T* b, T* d, T* s, Size rows, Size length) {                        \
        products<T>(a, b, d, s, rows, length);                                                                        \
    }                                                                                                                 \
    extern "C" void adjoint_##T(const T* a, const T* b, const T* d, const T* s, T* by_a, Size rows, Size length) {    \
        adjoint<T>(a, b, d, s, by_a, rows, length);                                                                   \
    }
EXPORT(float)
EXPORT(double)
