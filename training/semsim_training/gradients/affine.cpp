// The map y = x * scale + shift, with a scale and a shift for each image and channel (evaluated batch normalisation), and
// its derivatives, each in one pass over memory. Images are (batch, pixels, channels), scales and shifts (batch, channels).
#include <algorithm>
#include <cstdint>

namespace {

using Size = std::int64_t;

// Calls `each` with the place of every value and the place of its scale.
template <class Each>
inline void each_value(Size batch, Size pixels, Size channels, Each each) {
    for (Size image = 0; image < batch; image++)
        for (Size pixel = 0; pixel < pixels; pixel++) {
            const Size at = (image * pixels + pixel) * channels, scale = image * channels;
#pragma GCC ivdep
            for (Size channel = 0; channel < channels; channel++) each(at + channel, scale + channel);
        }
}

// Writes y = x * scale + shift. `Whole`: `shift` is an image like x.
template <class T, bool Whole>
void affine(const T* x, const T* scale, const T* shift, T* y, Size b, Size p, Size c) {
    each_value(b, p, c, [=](Size i, Size s) { y[i] = x[i] * scale[s] + shift[Whole ? i : s]; });
}

// Writes the gradients by x, scale and shift, where `delta` is the gradient by y.
template <class T>
void adjoint(const T* delta, const T* x, const T* scale, T* by_x, T* by_scale, T* by_shift, Size b, Size p, Size c) {
    std::fill_n(by_scale, b * c, T(0));
    std::fill_n(by_shift, b * c, T(0));
    each_value(b, p, c, [=](Size i, Size s) {
        by_x[i] = delta[i] * scale[s];
        by_scale[s] += delta[i] * x[i];
        by_shift[s] += delta[i];
    });
}

// Writes the gradients of `adjoint` by delta and x, where `to_x`, `to_scale` and `to_shift` are those by its results.
template <class T>
void second(const T* to_x, const T* to_scale, const T* to_shift, const T* delta, const T* x, const T* scale, T* by_delta,
            T* by_x, Size b, Size p, Size c) {
    each_value(b, p, c, [=](Size i, Size s) {
        by_delta[i] = to_x[i] * scale[s] + to_scale[s] * x[i] + to_shift[s];
        by_x[i] = to_scale[s] * delta[i];
    });
}

}  // namespace

#define EXPORT(T)                                                                                                      \
    extern "C" void affine_##T(const T* x, const T* s, const T* t, T* y, Size b, Size p, Size c) {                     \
        affine<T, false>(x, s, t, y, b, p, c);                                                                         \
    }                                                                                                                  \
    extern "C" void affine_added_##T(const T* x, const T* s, const T* added, T* y, Size b, Size p, Size c) {           \
        affine<T, true>(x, s, added, y, b, p, c);                                                                      \
    }                                                                                                                  \
    extern "C" void adjoint_##T(const T* d, const T* x, const T* s, T* by_x, T* by_s, T* by_t, Size b, Size p, Size c) { \
        adjoint<T>(d, x, s, by_x, by_s, by_t, b, p, c);                                                                \
    }                                                                                                                  \
    extern "C" void second_##T(const T* to_x, const T* to_s, const T* to_t, const T* d, const T* x, const T* s,        \
                               T* by_d, T* by_x, Size b, Size p, Size c) {                                             \
        second<T>(to_x, to_s, to_t, d, x, s, by_d, by_x, b, p, c);                                                     \
    }
EXPORT(float)
EXPORT(double)
